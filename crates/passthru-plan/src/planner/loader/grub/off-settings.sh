# Nor what else the intent has the kernel told, which could be what is wrong.
for variable in GRUB_CMDLINE_LINUX GRUB_CMDLINE_LINUX_DEFAULT; do
    eval "line=\" \${$variable:-} \""
    for word in @WORDS@; do
        case $line in
        *" $word "*) line=${line%%" $word "*}" "${line#*" $word "} ;;
        esac
    done
    line=${line# }
    eval "$variable=\${line% }"
done
export GRUB_CMDLINE_LINUX GRUB_CMDLINE_LINUX_DEFAULT
