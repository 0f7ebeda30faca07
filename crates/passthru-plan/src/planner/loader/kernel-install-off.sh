#!/bin/sh
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file and the entries whose names end in -passthru-off.conf.
#
# A plugin of kernel-install: for each kernel a second boot entry without passthrough, with @PARAMETERS@. It is made anew
# with the normal one, so it follows kernel updates and the other settings. It is sorted last, so it is never the default.
set -eu
command=$1 release=$2
[ "${KERNEL_INSTALL_LAYOUT:-}" = bls ] || [ "${KERNEL_INSTALL_LAYOUT:-}" = uki ] || exit 0
root=${KERNEL_INSTALL_BOOT_ROOT:?}
token=${KERNEL_INSTALL_ENTRY_TOKEN:?}
entry=$root/loader/entries/$token-$release
off=$entry-passthru-off.conf
if [ "$command" = remove ]; then
    rm -f "$off"
    exit 0
fi
[ "$command" = add ] || exit 0

# The lines of the entry.
lines() {
    echo '# Written by passthru. Made anew by /etc/kernel/install.d/95-passthru.install.'
    if [ "$KERNEL_INSTALL_LAYOUT" = bls ]; then
        # The normal entry again. Several lines of options are one after another, so the word may be in all of them.
        sed -e '/^#/d' -e '/^sort-key/d' -e 's/^title.*/& (without PCI passthrough)/' \
            -e '/^options/s/$/ @PARAMETERS@/' "$entry.conf"
    else
        # The unified image once more: its stub takes parameters from the entry, unless Secure Boot is on.
        line=$(tr -s '[:space:]' ' ' < /etc/kernel/cmdline)
        echo "title Linux $release (without PCI passthrough)"
        echo "version $release"
        echo "efi /EFI/Linux/$token-$release.efi"
        echo "options ${line% } @PARAMETERS@"
    fi
    echo 'sort-key zz-passthru-off'
}

if [ "$KERNEL_INSTALL_LAYOUT" = bls ]; then
    [ -e "$entry.conf" ] || exit 0
else
    [ -e "$root/EFI/Linux/$token-$release.efi" ] && [ -e /etc/kernel/cmdline ] || exit 0
    mkdir -p "$root/loader/entries"
fi
lines@SETTINGS@ > "$off.new"
mv "$off.new" "$off"
