//! Kernel command lines: one test for each way in which tools have broken them.

use passthru_formats::shell::{ShellError, ShellFile, Variables};
use passthru_formats::{
    bls, cmdline, kargs, kernel_cmdline, kernelstub, limine, limine_defaults, loader_conf, mkinitcpio, refind,
};

use super::{add, programs, remove, replace};

const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";
const BOTH: [&str; 2] = ["GRUB_CMDLINE_LINUX", DEFAULT];

/// Adds a word to the line that entries without repair get, takes it out again, and asks bash what it sees.
fn grub(text: &str, longer: &str) {
    let append = |text: &str| ShellFile::parse(text).and_then(|file| file.append(DEFAULT, "x=1"));
    let remove = |text: &str| ShellFile::parse(text).and_then(|file| file.remove(DEFAULT, "x=1"));
    assert_eq!(append(text).as_deref(), Ok(longer));
    assert_eq!(append(longer).as_deref(), Ok(longer), "it is not added twice");
    assert_eq!(remove(longer).as_deref(), Ok(text));
    assert_eq!(remove(text).as_deref(), Ok(text));
    for name in ["GRUB_CMDLINE_LINUX", DEFAULT, "GRUB_DISABLE_RECOVERY"] {
        let (Some(mut before), Some(after)) = (programs::bash(text, name), programs::bash(longer, name))
        else {
            return;
        };
        if name == DEFAULT {
            before = [before.trim_end(), "x=1"].join(if before.trim().is_empty() { "" } else { " " });
        }
        assert_eq!(before, after.trim_end(), "{longer}");
    }
}

#[test]
fn grub_value_in_double_quotes() {
    grub(
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash x=1\"\n",
    );
}

#[test]
fn grub_value_in_single_quotes() {
    grub("GRUB_CMDLINE_LINUX_DEFAULT='quiet'\n", "GRUB_CMDLINE_LINUX_DEFAULT='quiet x=1'\n");
}

#[test]
fn grub_value_without_quotes() {
    grub("GRUB_CMDLINE_LINUX_DEFAULT=quiet\n", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\\ x=1\n");
}

#[test]
fn grub_value_that_is_empty() {
    grub("GRUB_CMDLINE_LINUX_DEFAULT=\"\"\n", "GRUB_CMDLINE_LINUX_DEFAULT=\"x=1\"\n");
    grub("GRUB_CMDLINE_LINUX_DEFAULT=\n", "GRUB_CMDLINE_LINUX_DEFAULT=x=1\n");
}

#[test]
fn grub_value_that_is_added_to() {
    grub(
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a\"\nGRUB_CMDLINE_LINUX_DEFAULT+=\" b\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a\"\nGRUB_CMDLINE_LINUX_DEFAULT+=\" b x=1\"\n",
    );
}

#[test]
fn grub_value_that_is_exported() {
    grub("export GRUB_CMDLINE_LINUX_DEFAULT=\"a\"\n", "export GRUB_CMDLINE_LINUX_DEFAULT=\"a x=1\"\n");
}

#[test]
fn grub_line_with_leading_spaces() {
    grub("  \tGRUB_CMDLINE_LINUX_DEFAULT=\"a\"\n", "  \tGRUB_CMDLINE_LINUX_DEFAULT=\"a x=1\"\n");
}

#[test]
fn grub_line_with_a_trailing_comment() {
    grub(
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a\" # GRUB_CMDLINE_LINUX_DEFAULT=\"b\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a x=1\" # GRUB_CMDLINE_LINUX_DEFAULT=\"b\"\n",
    );
}

#[test]
fn grub_value_over_continued_lines() {
    grub(
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a \\\n    b \\\n    c\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a \\\n    b \\\n    c x=1\"\n",
    );
}

#[test]
fn grub_value_with_another_variable_inside() {
    grub(
        "EXTRA=\"b c\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"a ${EXTRA}\"\n",
        "EXTRA=\"b c\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"a ${EXTRA} x=1\"\n",
    );
    for text in [
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a ${EXTRA}\"\n",
        "EXTRA='b -- c'\nGRUB_CMDLINE_LINUX_DEFAULT=\"a ${EXTRA}\"\n",
        "EXTRA='\"b'\nGRUB_CMDLINE_LINUX_DEFAULT=\"a ${EXTRA}\"\n",
        "EXTRA=x=1\nGRUB_CMDLINE_LINUX_DEFAULT=\"a ${EXTRA}\"\n",
        "EXTRA=a\nGRUB_CMDLINE_LINUX_DEFAULT=\"a ${EXTRA}\"\nEXTRA=b\n",
    ] {
        let refused = ShellFile::parse(text).and_then(|file| file.append(DEFAULT, "x=1"));
        assert!(matches!(refused, Err(ShellError::Dynamic { .. })), "{text}: {refused:?}");
    }
}

#[test]
fn grub_of_several_assignments_the_last_one_counts() {
    grub(
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a x=1\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"b\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"a x=1\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"b x=1\"\n",
    );
}

#[test]
fn grub_drop_ins_come_after_the_main_file_and_may_set_the_value_anew() {
    let read = |files: &[&str]| {
        let mut variables = Variables::new();
        for text in files {
            ShellFile::parse(text).expect("reads").evaluate(&mut variables);
        }
        variables[DEFAULT].clone()
    };
    let main = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n";
    let ours = "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT x=1\"\n";
    assert_eq!(read(&[main, ours]).as_deref(), Ok("quiet x=1"));
    assert_eq!(read(&[main, ours, "GRUB_CMDLINE_LINUX_DEFAULT=\"b\"\n"]).as_deref(), Ok("b"));
    assert_eq!(read(&[main, ours, "GRUB_CMDLINE_LINUX_DEFAULT+=\" b\"\n"]).as_deref(), Ok("quiet x=1 b"));
}

#[test]
fn grub_line_of_recovery_entries_is_another_variable() {
    grub(
        "GRUB_CMDLINE_LINUX=\"root=1\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"a\"\nGRUB_DISABLE_RECOVERY=\"true\"\n",
        "GRUB_CMDLINE_LINUX=\"root=1\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"a x=1\"\nGRUB_DISABLE_RECOVERY=\"true\"\n",
    );
    let text = "GRUB_CMDLINE_LINUX_DEFAULT=\"a\"\nGRUB_CMDLINE_LINUX=\"\"\n";
    let file = ShellFile::parse(text).expect("reads");
    assert_eq!(
        file.append(BOTH[0], "x").as_deref(),
        Ok("GRUB_CMDLINE_LINUX_DEFAULT=\"a\"\nGRUB_CMDLINE_LINUX=\"x\"\n")
    );
}

#[test]
fn grub_value_with_escaped_quotes_and_a_parameter_with_blanks() {
    grub(
        "GRUB_CMDLINE_LINUX_DEFAULT=\"dyndbg=\\\"file x +p\\\" a='b'\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"dyndbg=\\\"file x +p\\\" a='b' x=1\"\n",
    );
    grub(
        "GRUB_CMDLINE_LINUX_DEFAULT='dyndbg=\"file x +p\"'\n",
        "GRUB_CMDLINE_LINUX_DEFAULT='dyndbg=\"file x +p\" x=1'\n",
    );
    let text = "GRUB_CMDLINE_LINUX_DEFAULT=\"a\"\n";
    let file = ShellFile::parse(text).expect("reads");
    let longer = "GRUB_CMDLINE_LINUX_DEFAULT=\"a dyndbg=\\\"file x +p\\\"\"\n";
    assert_eq!(file.append(DEFAULT, "dyndbg=\"file x +p\"").as_deref(), Ok(longer));
    assert!(programs::bash(longer, DEFAULT).is_none_or(|seen| seen == "a dyndbg=\"file x +p\""));
}

#[test]
fn order_is_kept_and_equal_words_are_not_joined() {
    let line = "console=tty0 cryptdevice=/dev/sda2:a rd.luks.uuid=b rd.luks.uuid=b root=/dev/mapper/a console=ttyS0 quiet quiet\n";
    assert_eq!(kernel_cmdline::edit(line, &add("x")), Ok(line.replace('\n', " x\n")));
    let entry = format!("options {line}");
    assert_eq!(bls::edit(&entry, &add("x")), Ok(entry.replace('\n', " x\n")));
}

#[test]
fn the_words_that_unlock_the_disk_are_never_lost() {
    let line = "cryptdevice=UUID=1:root root=/dev/mapper/root resume=/dev/sda3 amd_iommu=on\n";
    assert_eq!(kernel_cmdline::edit(line, &remove("amd_iommu=on")), Ok(line.replace(" amd_iommu=on", "")));
    assert_eq!(
        kernel_cmdline::edit(line, &replace("amd_iommu=on", "iommu=pt")),
        Ok(line.replace("amd_iommu=on", "iommu=pt"))
    );
}

#[test]
fn no_part_of_a_word_is_removed() {
    let line = "amd_iommu=on intel_iommu=on,igfx_off xiommu=pt iommu=ptx\n";
    for word in ["iommu=on", "intel_iommu=on", "iommu=pt", "iommu"] {
        assert_eq!(kernel_cmdline::edit(line, &remove(word)).as_deref(), Ok(line), "{word}");
    }
}

#[test]
fn comma_lists_are_merged_and_not_replaced() {
    let line = "intel_iommu=off,igfx_off,sm_on ro\n";
    let kept = cmdline::without_item("intel_iommu=off,igfx_off,sm_on", "off").expect("two are left");
    assert_eq!(
        kernel_cmdline::edit(line, &replace("intel_iommu=off,igfx_off,sm_on", &kept)).as_deref(),
        Ok("intel_iommu=igfx_off,sm_on ro\n")
    );
}

#[test]
fn repeated_ids_are_one_parameter_in_both_spellings_and_the_last_one_wins() {
    let line = cmdline::CommandLine::new("vfio-pci.ids=10de:13c2 vfio_pci.ids=10de:0fbb");
    assert_eq!(line.value("vfio-pci.ids"), Some("10de:0fbb"));
    assert_eq!(line.value("vfio_pci.ids"), Some("10de:0fbb"));
}

#[test]
fn systemd_boot_default_is_a_pattern_or_saved() {
    let default = |text| loader_conf::default_entry(text).expect("set");
    assert!(default("default arch-*\n").could_be("arch-linux.conf"));
    assert!(!default("default arch-*\n").could_be("passthru-off.conf"));
    assert!(default("default @saved\n").could_be("passthru-off.conf"));
}

#[test]
fn kernel_install_s_file_is_made_from_the_running_line_where_there_is_none() {
    assert_eq!(
        kernel_cmdline::from_running("initrd=\\6.1\\initrd BOOT_IMAGE=/vmlinuz root=UUID=1 ro\n"),
        "root=UUID=1 ro\n"
    );
    assert!(kernel_cmdline::edit("", &add("x")).is_err(), "a line of one word would lose the root");
}

#[test]
fn drop_ins_of_unified_images_are_edited_like_the_file() {
    let text = "# 10-root.conf\nroot=UUID=1\n";
    assert_eq!(kernel_cmdline::edit(text, &add("x")), Ok(format!("{} x\n", text.trim_end())));
}

#[test]
fn a_preset_s_unified_image_is_seen() {
    let images = mkinitcpio::preset::read("PRESETS=('default')\ndefault_uki=\"/efi/EFI/Linux/arch.efi\"\n")
        .expect("plain");
    assert_eq!(images[0].unified.as_deref(), Some("/efi/EFI/Linux/arch.efi"));
}

#[test]
fn limine_s_tool_has_a_line_for_all_kernels_and_one_for_fallback() {
    let text = "KERNEL_CMDLINE[default]+=\"root=1\"\nKERNEL_CMDLINE[fallback]+=\"root=1\"\n";
    let longer = limine_defaults::edit(text, "default", &add("x")).expect("plain");
    assert_eq!(longer, "KERNEL_CMDLINE[default]+=\"root=1 x\"\nKERNEL_CMDLINE[fallback]+=\"root=1\"\n");
}

#[test]
fn limine_s_drop_in_adds_with_a_blank_in_front() {
    assert_eq!(
        limine_defaults::edit("", "default", &add("x")).as_deref(),
        Ok("KERNEL_CMDLINE[default]+=\" x\"\n")
    );
}

#[test]
fn limine_s_hashed_images_stay_as_they_are() {
    let menu = "/Arch\n    protocol: linux\n    path: boot():/vmlinuz#0a1b\n    cmdline: root=1\n    module_path: boot():/i#2c\n";
    assert_eq!(limine::edit(menu, &add("x"), |_| true), Ok(menu.replace("root=1", "root=1 x")));
    let image = "/Arch\n    protocol: efi\n    path: boot():/arch.efi#0a1b\n";
    assert!(limine::edit(image, &add("x"), limine::Entry::is_hashed).is_err());
}

#[test]
fn limine_s_old_file_is_read_in_its_own_syntax() {
    let entries = limine::entries(":Arch\nKERNEL_PATH=boot:///vmlinuz\nKERNEL_CMDLINE=root=1 rw\n");
    assert_eq!(entries[0].cmdline.as_deref(), Some("root=1 rw"));
}

#[test]
fn refind_s_second_column_is_edited_and_the_stanzas_options() {
    assert_eq!(refind::edit_linux("\"A\" \"ro\"\n", &add("x"), |_| true).as_deref(), Ok("\"A\" \"ro x\"\n"));
    let stanza = "menuentry A {\n  loader /a\n  options \"ro\"\n}\n";
    assert_eq!(refind::edit_stanzas(stanza, &add("x"), |_| true), Ok(stanza.replace("ro", "ro x")));
}

#[test]
fn kernelstub_s_json_keeps_its_order() {
    let text = "{\"z\": 1, \"user\": {\"kernel_options\": [\"quiet\"], \"a\": 2}}";
    assert_eq!(kernelstub::edit(text, &add("x")), Ok(text.replace("\"quiet\"", "\"quiet\", \"x\"")));
}

#[test]
fn opensuse_s_root_and_its_metadata_stay() {
    let text = "root=UUID=1 rootflags=subvol=@/.snapshots/1/snapshot systemd.machine_id=2\n";
    assert_eq!(kernel_cmdline::edit(text, &add("x")), Ok(text.replace("=2", "=2 x")));
}

#[test]
fn rpm_ostree_s_arguments_are_read_and_bootc_s_are_edited() {
    assert_eq!(kargs::read_rpm_ostree("quiet ostree=/x\n"), "quiet ostree=/x");
    assert_eq!(kargs::edit_bootc("kargs = [\"a\"]\n", &add("x")).as_deref(), Ok("kargs = [\"a\", \"x\"]\n"));
}
