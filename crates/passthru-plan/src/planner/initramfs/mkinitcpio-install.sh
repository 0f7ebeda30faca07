#!/bin/bash
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file and /etc/mkinitcpio.conf.d/90-passthru.conf, or ‘passthru’ from HOOKS, then `mkinitcpio -P`.
#
# Puts the driver, the list of chosen functions and what reserves them into the image.

build() {
    local file module unit=/etc/systemd/system/passthru-early.service
    # With the question mark one that is built in is no error. passthru looks into the image afterwards.
    for module in @MODULES@; do
        add_module "$module?"
    done
    for file in /etc/passthru/devices /etc/passthru/early /etc/udev/rules.d/10-passthru.rules \
        /etc/modprobe.d/passthru.conf "$unit"; do
        [[ ! -f $file ]] || add_file "$file"
    done
    [[ -f /etc/passthru/early ]] || return 0
    # For systemd as the init of the image, which reads no scripts, and need not bring a shell.
    if [[ -f $unit ]]; then
        add_symlink "/etc/systemd/system/sysinit.target.wants/${unit##*/}" "$unit"
    fi
    if [[ ! -e $BUILDROOT/usr/bin/sh && ! -e $BUILDROOT/bin/sh ]]; then
        add_binary /bin/sh /usr/bin/sh
    fi
    # For any other init.
    [[ ! -x /etc/initcpio/hooks/passthru ]] || add_runscript
}

help() {
    echo 'This hook reserves the PCI functions that passthru was told of for guests, before any driver takes them.'
}
