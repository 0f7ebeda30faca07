#!/bin/sh
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove /etc/passthru/devices (without it this script does nothing), then `@REBUILD@`.
#
# early mark     before any driver is loaded: reserves each chosen PCI function for vfio-pci (driver_override)
# early verify   after boot: what vfio-pci could not take goes back to the host's own driver
#
# What is in doubt stays with the host. `passthru.off` on the kernel command line turns all of it off.
# Plain POSIX sh: it runs under dash, bash and busybox, in the initramfs and in the real root.
set -f

list=/etc/passthru/devices
pci=/sys/bus/pci

# say LEVEL TEXT: one line in the kernel log.
say() {
    { echo "<$1>passthru: $2" > /dev/kmsg; } 2> /dev/null || :
}

# Whether the kernel command line turns us off.
is_off() {
    cmdline=
    [ -r /proc/cmdline ] && read -r cmdline < /proc/cmdline
    for word in $cmdline; do
        case $word in passthru.off | passthru.off=1) return 0 ;; esac
    done
    return 1
}

# attribute FILE: its first line in $value.
attribute() {
    value=
    [ -r "$1" ] && read -r value 2> /dev/null < "$1"
    [ -n "$value" ]
}

# put TEXT FILE: writes an attribute.
put() {
    { echo "$1" > "$2"; } 2> /dev/null
}

# load MODULE: what comes of it is seen in the devices, so its own words are not needed.
load() {
    modprobe -q "$@" < /dev/null > /dev/null 2>&1
}

# The driver of $function in $driver.
has_driver() {
    driver=
    [ -e "$function/driver" ] || return 1
    driver=$(cd -P "$function/driver" 2> /dev/null && pwd -P)
    driver=${driver##*/}
    [ -n "$driver" ]
}

is_on_vfio() {
    has_driver || return 1
    case $driver in vfio-pci | *[_-]vfio[_-]pci) return 0 ;; esac
    return 1
}

# for_each COMMAND: runs it for every well-formed line of the list.
for_each() {
    while read -r address vendor device subsystem_vendor subsystem_device class rest || [ -n "$address" ]; do
        case $address in '' | '#'*) continue ;; esac
        wanted="$vendor $device $subsystem_vendor $subsystem_device $class"
        case $address/$wanted/$rest in
        ????*:[0-9a-f][0-9a-f]:[01][0-9a-f].[0-7]/0x????\ 0x????\ 0x????\ 0x????\ 0x??????/) ;;
        *) say 4 "a line of $list is not understood and is skipped"; continue ;;
        esac
        case $address in *[!0-9a-f:.]*) say 4 "a line of $list is not understood and is skipped"; continue ;; esac
        slot=${address%.*}
        function=$pci/devices/$address
        "$1"
    done < "$list"
}

# Notes the slots of which any function is not what was chosen: such a card is left alone as a whole.
compare() {
    if [ ! -e "$function" ]; then
        say 4 "$address is not there: its card is left to the host"
        foreign="$foreign $slot "
        return
    fi
    found=
    for name in vendor device subsystem_vendor subsystem_device class; do
        attribute "$function/$name"
        found="$found${found:+ }$value"
    done
    if [ "$found" != "$wanted" ]; then
        say 4 "$address is $found, not the chosen $wanted: its card is left to the host"
        foreign="$foreign $slot "
    fi
}

mark() {
    case $foreign in *" $slot "*) return ;; esac
    is_on_vfio && return
    if has_driver; then
        say 4 "$address has the driver $driver already: left to it"
    elif [ ! -e "$function/iommu_group" ]; then
        say 4 "$address has no IOMMU group: left to the host"
    elif put vfio-pci "$function/driver_override"; then
        say 6 "$address is reserved for vfio-pci"
        # A vfio-pci that is there already, built in or loaded, takes it at once.
        [ -e "$pci/drivers/vfio-pci" ] && put "$address" "$pci/drivers_probe"
    else
        say 3 "$address could not be reserved: left to the host"
    fi
}

verify() {
    case $foreign in *" $slot "*) return ;; esac
    if ! has_driver && [ -e "$function/iommu_group" ]; then
        load vfio-pci
        put vfio-pci "$function/driver_override"
        put "$address" "$pci/drivers_probe"
    fi
    if is_on_vfio; then
        say 6 "$address is on $driver"
        taken="$taken $slot "
        return
    fi
    lost="$lost $slot "
    if has_driver; then
        say 4 "$address is on $driver, not on vfio-pci"
        return
    fi
    put '' "$function/driver_override"
    attribute "$function/modalias" && load -b "$value"
    put "$address" "$pci/drivers_probe"
    has_driver || driver='no driver'
    say 3 "vfio-pci did not take $address: it is back with the host ($driver)"
}

[ -r "$list" ] || exit 0
if is_off; then
    say 5 "passthru.off is on the kernel command line: nothing is done"
    exit 0
fi
foreign= taken= lost=
case $1 in
mark)
    for_each compare
    for_each mark
    ;;
verify)
    for_each compare
    for_each verify
    for slot in $lost; do
        case $taken in *" $slot "*) say 3 "only a part of $slot is on vfio-pci: a guest cannot have the whole card" ;; esac
    done
    ;;
esac
exit 0
