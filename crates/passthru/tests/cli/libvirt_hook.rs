//! The hook with a real daemon of libvirt, which starts guests under TCG: in a mount namespace of its own, so that nothing of this
//! machine's libvirt is touched.

use std::path::Path;
use std::process::{Command, Stdio};

/// What the daemon is started among: its directories and ours are empty ones, and its user is there.
const STAGE: &str = r#"
set -e
work=$1
for directory in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt /etc/passthru /var/lib/passthru \
    /run/passthru /usr/local/bin; do
    mkdir -p $directory
    mount -t tmpfs tmpfs $directory
done
for file in passwd group; do cp /etc/$file $work/$file; done
echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >> $work/passwd
printf 'libvirt-qemu:x:64055:\nkvm:x:64056:\n' >> $work/group
for file in passwd group; do mount --bind $work/$file /etc/$file; done
touch /usr/local/bin/passthru
mount --bind "$2" /usr/local/bin/passthru
cat > /etc/libvirt/qemu.conf << END
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = []
namespaces = []
remember_owner = 0
END
echo 'auth_unix_rw = "none"' > /etc/libvirt/libvirtd.conf
exec 3>&1 > $work/out 2>&1
passthru guest hook --yes
libvirtd --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirt/libvirtd.pid < /dev/null 3>&- &
daemon=$!
trap 'kill $daemon; wait $daemon' EXIT
export LIBVIRT_DEFAULT_URI=qemu:///system
until virsh uri; do kill -0 $daemon; sleep 0.2; done
mkdir -p /etc/passthru/guests
say() { echo "$*" >&3; }
"#;

/// Runs a script on the stage; what it says, and everything else that was written. `None`: it cannot be set here.
fn on_the_stage(script: &str) -> Option<(String, String)> {
    let there = ["/usr/sbin/libvirtd", "/usr/bin/virsh", "/usr/bin/qemu-system-x86_64", "/usr/bin/unshare"];
    if let Some(missing) = there.iter().find(|path| !Path::new(path).exists()) {
        say(&format!("skipped: there is no {missing}"));
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        say("skipped: only root makes mount namespaces");
        return None;
    }
    let work = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--", "/bin/sh", "-c", &format!("{STAGE}\n{script}"), "stage"]);
    command.arg(work.path()).arg(env!("CARGO_BIN_EXE_passthru"));
    let out = command.stdin(Stdio::null()).output().expect("starts");
    let all = std::fs::read_to_string(work.path().join("out")).unwrap_or_default();
    let words = String::from_utf8_lossy(&out.stdout).into_owned();
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    if err.contains("unshare failed") || err.contains("permission denied") {
        say(&format!("skipped: no mount namespace can be made here: {err}"));
        return None;
    }
    assert!(out.status.success(), "{words}\n{err}\n{all}");
    Some((words, all))
}

/// What is said without the numbers of processes.
fn without_numbers(said: &str) -> String {
    let digit = |c: char| c.is_ascii_digit();
    let line = |line: &str| match line.split_once("(process ") {
        Some((before, rest)) => format!("{before}(process N{}\n", rest.trim_start_matches(digit)),
        None => format!("{line}\n"),
    };
    said.lines().map(line).collect()
}

fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}

#[test]
fn libvirt_calls_it_around_each_guest_and_it_stops_the_start_of_one_that_cannot_be() {
    let script = r#"
cat > /etc/passthru/guests/box.toml << END
memory = "128M"
cpus = 1
firmware = "seabios"
accel = "tcg"
display = "none"
END
passthru guest export box --format libvirt -o $work/box.xml
virsh define --validate $work/box.xml
virsh start box
say "started: $(passthru guest list)"
say "stop: $(passthru guest stop box --timeout 0 2>&1)"
virsh destroy box
say "destroyed: $(passthru guest list)"
say "files: $(ls /run/passthru/guests/box)"

echo 'colour = "blue"' >> /etc/passthru/guests/box.toml
say "refused: $(virsh start box 2>&1 | sed -e 's,(LC_ALL.*/etc/libvirt,(… /etc/libvirt,' -e 's/, expected one of.*//')"
say "then: $(virsh domstate box)"

# A guest that passthru knows nothing of starts as ever.
sed -e 's,<name>box,<name>other,' $work/box.xml > $work/other.xml
virsh define $work/other.xml
say "other: $(virsh start other)"
virsh destroy other

# Nor does one that could not be asked: the program is there, and the kernel does not start it.
umount /usr/local/bin/passthru
printf '#!/nowhere\n' > /usr/local/bin/passthru
chmod 755 /usr/local/bin/passthru
say "broken: $(virsh start other)"
virsh destroy other
mount --bind "$2" /usr/local/bin/passthru

passthru guest hook --remove --yes
say "hooks: $(find /etc/libvirt/hooks)"
say "without: $(virsh start box)"
virsh destroy box
"#;
    let Some((said, all)) = on_the_stage(script) else { return };
    assert!(all.contains("Next: restart libvirt's daemon"), "{all}");
    insta::assert_snapshot!(without_numbers(&said));
}

#[test]
fn libvirt_runs_the_guests_whose_specification_says_so() {
    let script = r#"
guest() {
    cat > /etc/passthru/guests/$1.toml << END
backend = "libvirt"
memory = "128M"
cpus = 1
firmware = "seabios"
accel = "tcg"
display = "none"
END
}
guest box
say "start: $(passthru guest start box 2>&1)"
say "again: $(passthru guest start box 2>&1)"
say "list: $(passthru guest list)"
say "show: $(passthru guest show box | head -n 1)"
say "libvirt: $(virsh domstate box)"
say "asked: $(passthru guest stop box --timeout 0 2>&1)"
say "stop: $(passthru guest stop box --timeout 0 --force 2>&1)"
say "once more: $(passthru guest stop box 2>&1)"
sed -i 's/128M/192M/' /etc/passthru/guests/box.toml
say "start: $(passthru guest start box 2>&1)"
say "memory: $(virsh dominfo box | grep Max)"
passthru guest stop box --timeout 0 --force

guest mine
sed -e 's,<name>box,<name>mine,' -e '/<uuid>/d' -e '/passthru:guest/d' $(virsh dumpxml box > $work/box.xml; echo $work/box.xml) > $work/mine.xml
virsh define $work/mine.xml
say "mine: $(passthru guest start mine 2>&1)"

guest tuned
printf '[processor]\npins = [0]\n[tuning]\nisolation = "partition"\n' >> /etc/passthru/guests/tuned.toml
passthru guest hook --remove --yes
say "tuned: $(passthru guest start tuned 2>&1)"
kill $daemon
wait $daemon || :
trap - EXIT
say "no daemon: $(passthru guest start box 2>&1)"
"#;
    let Some((said, _)) = on_the_stage(script) else { return };
    insta::assert_snapshot!(without_numbers(&said));
}
