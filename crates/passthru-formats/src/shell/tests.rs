use super::oracle::bash;
use super::{ShellError, ShellFile, Variables};
use proptest::prelude::*;

fn value(text: &str) -> Result<Option<String>, ShellError> {
    ShellFile::parse(text)?.value("A")
}

fn append(text: &str, token: &str) -> Result<String, ShellError> {
    ShellFile::parse(text)?.append("A", token)
}

fn remove(text: &str, token: &str) -> Result<String, ShellError> {
    ShellFile::parse(text)?.remove("A", token)
}

#[test]
fn every_static_form_is_read_and_edited_inside_its_own_quotes() {
    for (text, read, longer) in [
        ("A=\"quiet\"\n", "quiet", "A=\"quiet off=1\"\n"),
        ("A='quiet'", "quiet", "A='quiet off=1'"),
        ("A=quiet # why\n", "quiet", "A=quiet\\ off=1 # why\n"),
        ("A=\n", "", "A=off=1\n"),
        ("A=\"\"\n", "", "A=\"off=1\"\n"),
        ("  export A='a b' B=c\n", "a b", "  export A='a b off=1' B=c\n"),
        ("A=a\nA+=\" b\"\n", "a b", "A=a\nA+=\" b off=1\"\n"),
        ("A=a\nA=\"$A b\"\n", "a b", "A=a\nA=\"$A b off=1\"\n"),
        ("A=a\nA=\"b ${A}\"\n", "b a", "A=a\nA=\"b ${A} off=1\"\n"),
        ("A=\"a \\\n b\"\n", "a  b", "A=\"a \\\n b off=1\"\n"),
        ("A=first\nA=last\n", "last", "A=first\nA=last\\ off=1\n"),
        ("A=\"x=\\\"a b\\\" \\$y\"\n", "x=\"a b\" $y", "A=\"x=\\\"a b\\\" \\$y off=1\"\n"),
        ("A=\"a\"'b'c\n", "abc", "A=\"a\"'b'c\\ off=1\n"),
        ("B=1; A=\"a\"; C=2\n", "a", "B=1; A=\"a off=1\"; C=2\n"),
        ("A=\"a -- b\"", "a -- b", "A=\"a off=1 -- b\""),
        ("A=\"a\"\r\n", "a\r", "A=\"a\"\r\\ off=1\n"),
    ] {
        assert_eq!(value(text), Ok(Some(read.to_owned())), "{text:?}");
        assert_eq!(append(text, "off=1").as_deref(), Ok(longer), "{text:?}");
        assert_eq!(remove(longer, "off=1").as_deref(), Ok(text), "{longer:?}");
    }
}

#[test]
fn a_word_goes_from_every_assignment_that_the_value_is_made_of_and_from_no_other() {
    assert_eq!(
        remove("A='x iommu=off'\nA=\"iommu=off a\"\nA=\"$A iommu=off\"\n", "iommu=off").as_deref(),
        Ok("A='x iommu=off'\nA=\"a\"\nA=\"$A\"\n")
    );
    assert_eq!(remove("A=\"intel_iommu=off b\"\n", "iommu=off").as_deref(), Ok("A=\"intel_iommu=off b\"\n"));
    assert_eq!(remove("A='io'\"mmu=off\"\\ b\n", "iommu=off").as_deref(), Ok("A=''\"\"b\n"));
}

#[test]
fn a_word_is_written_in_another_way() {
    let file = ShellFile::parse("A=\"a intel_iommu=off,sm_on b\"").expect("reads");
    assert_eq!(
        file.replace("A", "intel_iommu=off,sm_on", "intel_iommu=sm_on").as_deref(),
        Ok("A=\"a intel_iommu=sm_on b\"")
    );
}

#[test]
fn dynamic_shell_in_the_value_is_refused_with_its_line() {
    for text in [
        "\nA=\"$(cat /x)\"",
        "\nA=`cat /x`",
        "\nA=\"${B:-x}\"",
        "\nA=\"$B\"",
        "\nA=$'x'",
        "\nA=~/x",
        "\nA=\"$A\\\na\"",
        "\nif true; then\nA=x\nfi",
        "\nfor A in x; do\n:\ndone",
        "\n[ -e /x ] && A=x",
        "\neval \"$x\"\nA=y",
        "\n. /etc/other; A=y",
        "\nread A",
        "\nA=y command",
        "\nA=(a b)",
        "\nB=${A:=x}\nA=y",
        "\nf() {\nA=x\n}",
        "\n(A=x)",
        "\ncat <<X\nA=1\nX\n",
        "\nexport A={1,2}",
    ] {
        match append(text, "b") {
            Err(ShellError::Dynamic { line, .. }) => assert_eq!(line, 2, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn dynamic_shell_elsewhere_does_not_matter() {
    let debian = "GRUB_DISTRIBUTOR=`( . /etc/os-release; echo ${NAME:-Debian} ) 2>/dev/null || echo Debian`\n\
                  if [ -e /x ]; then B=\"$(x)\"; fi\nA=\"quiet\"\n";
    assert_eq!(value(debian), Ok(Some("quiet".to_owned())));
    assert_eq!(append(debian, "x"), Ok(debian.replace("quiet", "quiet x")));
}

#[test]
fn what_is_not_there_is_not_there() {
    assert_eq!(append("# A=x\n", "y"), Err(ShellError::NotAssigned { name: "A".to_owned() }));
    assert_eq!(value("# A=x\n"), Ok(None));
    assert_eq!(value("A='x\n"), Err(ShellError::Unterminated { line: 1 }));
    assert_eq!(append("A=x", "a\nb"), Err(ShellError::Unwritable(" a\nb".to_owned())));
    assert_eq!(value("A=x\n\0"), Err(ShellError::Nul { line: 2 }));
}

#[test]
fn files_that_are_sourced_one_after_the_other_add_up() {
    let mut variables = Variables::new();
    for text in ["A=\"quiet\"\nB=x", "A=\"$A on\"", "A=\"$A $B\""] {
        ShellFile::parse(text).expect("reads").evaluate(&mut variables);
    }
    assert_eq!(variables["A"], Ok("quiet on x".to_owned()));
}

/// Values with quotes, escapes and continuation lines, as people write them.
fn written_value() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z=,./_-]{1,6}",
        "\"([a-z= ,'#-]|\\\\\"|\\\\\\$|\\\\\n|\\\\\\\\|\\\\x|\\$A|\\$\\{A\\}){0,8}\"",
        "'([a-z= \"#$`-]|\\\\){0,8}'",
        "\\\\[ a\"'$#]",
        "\\\\\n",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn written_file() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => ("[ \t]{0,2}(export )?", prop_oneof![Just("A="), Just("A+="), Just("B=")], written_value(), "([ ]{1,2}# .A='.)?")
            .prop_map(|(front, name, value, comment)| format!("{front}{name}{value}{comment}")),
        1 => "(#[ a-zA=\"'`]{0,9}|:)",
    ];
    (prop::collection::vec(line, 1..5), prop_oneof![Just("\n"), Just("\r\n"), Just("; ")], "\n?")
        .prop_map(|(lines, end, last)| format!("{}{last}", lines.join(end)))
}

const CASES: u32 = 256;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn bash_reads_the_same_value(text in written_file()) {
        let ours = match value(&text) {
            Ok(value) => value.unwrap_or_default(),
            Err(_) => return Ok(()),
        };
        if let Some(theirs) = bash(&format!("{text}\n"), "printf %s \"$A\"") {
            prop_assert_eq!(ours, theirs, "{:?}", text);
        }
    }

    #[test]
    fn a_word_added_to_a_file_can_be_taken_out_again(text in written_file()) {
        if let Ok(longer) = append(&text, "new_token=1,x") {
            let read = value(&longer).expect("static as before").expect("set");
            // What `A+=` adds to is cut where the words of the two meet.
            prop_assume!(read.matches('"').count().is_multiple_of(2));
            prop_assert!(crate::cmdline::CommandLine::new(&read).has_word("new_token=1,x"), "{:?}", longer);
            prop_assert_eq!(remove(&longer, "new_token=1,x"), Ok(text));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\n\r\0]{0,60}", code in "([A=\"'`$(){}\\\\;&|<># \nxif]|fi|\\$\\(){0,40}") {
        for text in [text, code] {
            let _ = (append(&text, "x"), remove(&text, "x"), value(&text));
        }
    }
}
