# Nor what else the intent has the kernel told, which could be what is wrong.
own=' @WORDS@'
case $GRUB_CMDLINE_LINUX_DEFAULT in
*"$own"*)
    behind=${GRUB_CMDLINE_LINUX_DEFAULT#*"$own"}
    GRUB_CMDLINE_LINUX_DEFAULT=${GRUB_CMDLINE_LINUX_DEFAULT%%"$own"*}$behind
    ;;
esac
export GRUB_CMDLINE_LINUX_DEFAULT
