#!/bin/sh
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file, then `@MENU@`.
#
# Adds a menu entry that boots without passthrough, once: the newest entry of 10_linux again, with @PARAMETERS@.
# It is made anew with the menu, so it follows kernel updates and the other settings. Its id is passthru-off.
set -e
[ -x /etc/grub.d/10_linux ] || exit 0
GRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX:+$GRUB_CMDLINE_LINUX }@PARAMETERS@"
@SETTINGS@
: "${GRUB_DEVICE_BOOT:=}"
# The simple entry comes first only where there is a submenu.
GRUB_DISABLE_SUBMENU=n
GRUB_DISABLE_RECOVERY=true
# For one boot only: it never becomes the saved default.
GRUB_SAVEDEFAULT=false
export GRUB_CMDLINE_LINUX GRUB_DISABLE_SUBMENU GRUB_DISABLE_RECOVERY GRUB_SAVEDEFAULT
/etc/grub.d/10_linux 2> /dev/null | awk '
  !inside && /^menuentry / {
    inside = 1
    q = "\047"
    sub(/^menuentry \047[^\047]*\047/, "menuentry " q "Without PCI passthrough" q)
    sub(/menuentry_id_option \047[^\047]*\047/, "menuentry_id_option " q "passthru-off" q)
  }
  inside { print }
  inside && /^}/ { exit }'
