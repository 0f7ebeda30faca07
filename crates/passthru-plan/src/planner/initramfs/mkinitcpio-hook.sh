#!/bin/sh
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file, then `mkinitcpio -P`.
#
# Reserves the chosen functions before MODULES are loaded and udev acts.

run_earlyhook() {
    [ ! -r /etc/passthru/early ] || /bin/sh /etc/passthru/early mark
}
