//! Whole plans for NixOS: one module to be imported, which Nix itself evaluates.

use passthru_model::facts::{Bootloader, InitramfsGenerator};
use passthru_model::intent::Method;
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, HostEdit, IntentEdit, isolate, isolate_by};

use crate::common::{INSISTING, after, at, cmdline, host, shown, there_and_back, with_ids_of_its_own};
use crate::texts::{run, write};

/// The plain host as a NixOS, which does not turn its IOMMU off.
fn nixos() -> HostFacts {
    let mut facts = host();
    for path in [managed::GRUB_DEFAULTS, managed::GRUB_CFG, managed::INITRAMFS_MODULES] {
        facts.files.insert(path.to_owned(), FileState::Absent);
    }
    if let Fact::Known(kernels, _) = &mut facts.kernel.installed {
        for kernel in kernels {
            kernel.image = Some("/run/current-system/kernel".to_owned());
            kernel.initramfs = Some("/run/current-system/initrd".to_owned());
        }
    }
    facts.bootloader = Fact::known(Bootloader::NixOs, "/etc/NIXOS", "is there");
    facts.initramfs = Fact::known(InitramfsGenerator::NixOs, "/etc/NIXOS", "is there");
    facts.boot.entries = Fact::known(Vec::new(), "/boot", "");
    cmdline(&mut facts, "init=/nix/store/x-nixos-system/init loglevel=4");
    facts
}

fn module(plan: &Plan) -> String {
    let step = plan.steps.iter().find(|step| step.path() == Some(managed::NIXOS_MODULE)).expect("a step");
    let Action::File { after, .. } = &step.action else { panic!("a file") };
    String::from_utf8(after.content().expect("a file").to_vec()).expect("text")
}

#[test]
fn isolating_writes_the_intent_and_one_module_and_runs_nothing() {
    let plan = isolate(&nixos(), &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    let paths: Vec<&str> = plan.steps.iter().filter_map(passthru_model::plan::Step::path).collect();
    assert_eq!(paths, [passthru_model::intent::INTENT_PATH, managed::NIXOS_MODULE]);
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was() {
    there_and_back(&nixos(), after, |_, _| {});
}

#[test]
fn what_the_configuration_says_is_not_ours_to_change() {
    let refusal = |facts: &HostFacts, edit: &IntentEdit| {
        isolate_by(facts, &[at("02:00.0")], edit, &INSISTING).expect_err("a refusal").to_string()
    };
    let mut off = nixos();
    cmdline(&mut off, "init=/nix/store/x-nixos-system/init intel_iommu=off");
    off.boot.entries = Fact::known(
        passthru_formats::boot_entries::bls(
            "/boot/loader/entries/nixos-generation-7.conf",
            b"linux /a\noptions init=/nix/store/x-nixos-system/init intel_iommu=off\n",
        )
        .into_iter()
        .collect(),
        "/boot",
        "",
    );
    let no_d3cold = HostEdit { no_d3cold: Some(true), ..HostEdit::default() };
    let reasons = [
        refusal(&off, &IntentEdit::default()),
        refusal(&nixos(), &IntentEdit { host: no_d3cold, ..IntentEdit::default() }),
    ];
    insta::assert_snapshot!(reasons.join("\n\n"));
    let untried = isolate(&nixos(), &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert_eq!(untried.flags(), ["--untried-boot-chain"]);
}

/// What Nix makes of a module, imported by the line that its head tells to write; `None`: Nix is not here.
fn evaluated(module: &str) -> Option<serde_json::Value> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("passthru.nix");
    write(&path, module);
    let line = module.lines().find_map(|line| line.strip_prefix("#   ++ ")).expect("the line");
    let imports = line.replace("/etc/passthru/passthru.nix", &path.display().to_string());
    // Of nixpkgs' lib all that the line uses.
    let expression = format!(
        "let lib.optional = is: value: if is then [ value ] else [ ]; in map (path: import path {{ }}) ([ ] ++ {imports})"
    );
    let output = run(
        "nix-instantiate",
        &["--eval", "--strict", "--json", "--store", "dummy://", "--expr", &expression],
    )?;
    assert!(output.status.success(), "{}\n{module}", String::from_utf8_lossy(&output.stderr));
    let parsed = run("nix-instantiate", &["--parse", "--store", "dummy://", &path.display().to_string()])?;
    assert!(parsed.status.success(), "{parsed:?}");
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Some(all[0].clone())
}

#[test]
fn nix_evaluates_the_module_to_what_was_meant_by_every_method() {
    for method in Method::ALL {
        let mut facts = nixos();
        if method.ids_parameter().is_some() {
            with_ids_of_its_own(&mut facts);
        }
        let edit = IntentEdit { disable_idle_d3: Some(true), ..IntentEdit::of_method(method) };
        let plan = isolate_by(&facts, &[at("02:00.0")], &edit, &INSISTING).expect("a plan").plan;
        let Some(value) = evaluated(&module(&plan)) else { return };
        let boot = &value["boot"];
        let list = |value: &serde_json::Value| {
            let words = value.as_array().expect("a list").iter();
            words.map(|word| word.as_str().expect("a word").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(list(&boot["kernelParams"]), ["intel_iommu=on", "vfio_pci.disable_idle_d3=1"]);
        let off =
            list(&value["specialisation"]["without-passthrough"]["configuration"]["boot"]["kernelParams"]);
        assert_eq!(off[0], "passthru.off");
        let modules = list(&boot["initrd"]["kernelModules"]);
        let rules = boot["initrd"]["services"]["udev"]["rules"].as_str();
        let options = boot["extraModprobeConfig"].as_str();
        match method {
            Method::Override => {
                assert_eq!(modules, ["vfio-pci", "vfio_iommu_type1"]);
                let rules = rules.expect("rules");
                assert!(rules.contains("ATTR{[pci/0000:02:00.0]driver_override}=\"vfio-pci\""), "{rules}");
                assert_eq!(value["services"]["udev"]["extraRules"].as_str(), Some(rules));
                assert_eq!(options, None);
            }
            Method::Ids | Method::PciStub => {
                assert_eq!(rules, None);
                let begin = format!("options {} ids=", method.driver());
                assert!(options.is_some_and(|options| options.starts_with(&begin)), "{options:?}");
            }
        }
    }
}
