#!/bin/sh
# Written by passthru. To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.
# By hand: remove this file, then `limine-update`.
#
# Adds a menu entry that boots without passthrough, once limine-entry-tool has made the menu: the first of its entries again,
# with @PARAMETERS@. It has no hashes, so that it starts whatever images the tool makes.
menu=@MENU@
[ -f "$menu" ] || exit 0
awk -v machine="@MACHINE@" -v title="@TITLE@" -v off="@PARAMETERS@" -v words="@WORDS@" '
  function done() {
    if (!copied && kernel ~ ("^boot\\(\\):/" machine "/[^/]+/[^/]+$") && kernel !~ "/limine_history/") {
      copied = "    protocol: linux\n" modules "    path: " kernel "\n    cmdline: " cmdline " " off
    }
    kernel = modules = cmdline = ""
  }
  function value() {
    line = $0
    sub(/^[^:]*:[ \t]*/, "", line)
    return line
  }
  function plain(path) {
    sub(/#.*$/, "", path)
    return path
  }
  function without(line) {
    line = " " line " "
    count = split(words, word, " ")
    for (i = 1; i <= count; i++)
      while (at = index(line, " " word[i] " "))
        line = substr(line, 1, at) substr(line, at + length(word[i]) + 2)
    gsub(/^ +| +$/, "", line)
    return line
  }
  /^[ \t]*\// { done(); ours = $0 == "/" title }
  ours { next }
  { kept[++lines] = $0 }
  tolower($1) ~ /^(kernel_)?path:/ { kernel = plain(value()) }
  tolower($1) ~ /^module_path:/ { modules = modules "    module_path: " plain(value()) "\n" }
  tolower($1) ~ /^(kernel_)?cmdline:/ { cmdline = without(value()) }
  END {
    done()
    while (lines && kept[lines] ~ /^[ \t]*$/) lines--
    for (i = 1; i <= lines; i++) print kept[i]
    if (copied) print "\n/" title "\n" copied
  }' "$menu" > "$menu.passthru" && mv -f "$menu.passthru" "$menu" || rm -f "$menu.passthru"
# What is in its way here is in nobody else's.
exit 0
