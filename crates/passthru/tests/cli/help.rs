//! The help is the first thing a user reads.

use clap::CommandFactory as _;
use passthru::args::Arguments;

/// Every command and those below it, by its full name.
fn commands() -> Vec<(String, clap::Command)> {
    fn collect(command: &clap::Command, name: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((name.to_owned(), command.clone()));
        for below in command.get_subcommands() {
            collect(below, &format!("{name} {}", below.get_name()), found);
        }
    }
    let mut root = Arguments::command();
    root.build();
    let mut found = Vec::new();
    collect(&root, "passthru", &mut found);
    found
}

#[test]
fn the_arguments_are_well_formed() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_has_an_example_that_parses() {
    // What other programs call is none of a user's.
    for (name, command) in commands().into_iter().skip(1).filter(|(_, command)| !command.is_hide_set()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (_, examples) = help.split_once("Example:").unwrap_or_else(|| panic!("{name} has no example"));
        let examples: Vec<&str> =
            examples.lines().map(str::trim).filter(|line| line.starts_with("passthru")).collect();
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            let words = example.split_whitespace().take_while(|word| *word != ">");
            if let Err(error) = Arguments::command().try_get_matches_from(words) {
                panic!("the example ‘{example}’ of {name} does not parse: {error}");
            }
        }
    }
}

#[test]
fn help_fits_a_hundred_columns_and_one_liners_have_no_final_period() {
    for (name, mut command) in commands() {
        let help = command.render_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{name}: {about}");
    }
}

#[test]
fn the_exit_codes_are_documented_in_the_help() {
    let help = Arguments::command().render_help().to_string();
    for code in 0..=6 {
        assert!(
            help.lines().any(|line| line.starts_with(&format!("  {code}  "))),
            "exit code {code} is not explained"
        );
    }
}
