#!/bin/sh
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file, then `update-initramfs -u -k all`.
#
# Puts the driver, the list of chosen functions and the script that reserves them into the image. The udev rule and
# /etc/modprobe.d are copied by initramfs-tools itself.
case "$1" in prereqs) echo ""; exit 0 ;; esac
. /usr/share/initramfs-tools/hook-functions
manual_add_modules @MODULES@
for file in /etc/passthru/early /etc/passthru/devices; do
    [ -e "$file" ] && copy_file config "$file"
done
exit 0
