#!/bin/sh
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file and the entries whose names end in -passthru-off.conf.
#
# A plugin of kernel-install: for each new kernel a second boot entry without passthrough, with @PARAMETERS@. GRUB puts names that
# begin with a capital letter behind those that begin with the machine's id, so it is never the default.
set -eu
command=$1 release=$2
entries=/boot/loader/entries
entry=$entries/${KERNEL_INSTALL_MACHINE_ID:-}-$release.conf
off=$entries/A-${KERNEL_INSTALL_MACHINE_ID:-}-$release-passthru-off.conf
if [ "$command" = remove ]; then
    rm -f "$off"
    exit 0
fi
[ "$command" = add ] && [ -e "$entry" ] || exit 0

# The lines of the entry.
lines() {
    cat << 'END'
@HEAD@
END
    sed -e '/^sort-key/d' -e 's/^title.*/&, without PCI passthrough/' -e '/^options/s/$/ @PARAMETERS@/' "$entry"
}
lines@SETTINGS@ > "$off.new"
mv "$off.new" "$off"
