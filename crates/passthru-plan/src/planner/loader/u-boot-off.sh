# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file, then `u-boot-update`.
#
# Adds a menu entry that boots without passthrough, once u-boot-update has made the menu: its first entry again, with
# @PARAMETERS@. It is made anew with the menu, so it follows kernel updates and the other settings.
passthru_off_entry () {
    passthru_menu=/boot/extlinux/extlinux.conf
    [ "$1" -eq 0 ] && [ -f "$passthru_menu" ] || return 0
    awk -v off="@PARAMETERS@" -v words="@WORDS@" '
      tolower($1) == "label" { labels += $2 != "passthru-off"; ours = $2 == "passthru-off" }
      ours { next }
      { kept[++lines] = $0 }
      labels == 1 && tolower($1) ~ /^(linux|kernel|initrd|fdt|fdtdir|fdtoverlays)$/ { copied[++copies] = $0 }
      labels == 1 && tolower($1) == "append" {
        line = $0 " "
        count = split(words, word, " ")
        for (i = 1; i <= count; i++)
          while (at = index(line, " " word[i] " "))
            line = substr(line, 1, at) substr(line, at + length(word[i]) + 2)
        sub(/ +$/, "", line)
        copied[++copies] = line " " off
      }
      END {
        while (lines && kept[lines] ~ /^[ \t]*$/) lines--
        for (i = 1; i <= lines; i++) print kept[i]
        if (copies) print "\nlabel passthru-off\n\tmenu label Without PCI passthrough"
        for (i = 1; i <= copies; i++) print copied[i]
      }' "$passthru_menu" > "$passthru_menu.passthru"
    mv -f "$passthru_menu.passthru" "$passthru_menu"
}
trap 'passthru_off_entry "$?"' EXIT
