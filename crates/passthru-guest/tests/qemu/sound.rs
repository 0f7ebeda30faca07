//! Guests that play through a real sound server of somebody else's session.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;

use passthru_guest::run::{GuestPaths, HowStopped, Launcher, stop};
use passthru_guest::spec::{Audio, AudioBackend, AudioCodec, FirmwareKind};

use super::{ALONE, at_once, begin, build, launcher, line_of, spec, until};

/// A user with a sound server of the own, in a runtime directory of the own.
struct Session {
    /// The user and group; `None`: ours, for without root we can be nobody else.
    ids: Option<(u32, u32)>,
    runtime: PathBuf,
    home: PathBuf,
    servers: Vec<Child>,
}

impl Session {
    fn below(directory: &Path) -> Self {
        let ids = rustix::process::geteuid().is_root().then(|| (number("-u"), number("-g")));
        let [runtime, home] = ["runtime", "home"].map(|name| directory.join(name));
        for directory in [&runtime, &home] {
            std::fs::create_dir(directory).expect("made");
            if let Some((user, group)) = ids {
                std::os::unix::fs::chown(directory, Some(user), Some(group)).expect("given");
            }
        }
        Self { ids, runtime, home, servers: Vec::new() }
    }

    /// The address of its message bus.
    fn bus(&self) -> String {
        format!("unix:path={}", self.runtime.join("bus").display())
    }

    /// A program in this session.
    fn command(&self, program: &str) -> Command {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin").env("LC_ALL", "C").env("HOME", &self.home);
        command.env("XDG_RUNTIME_DIR", &self.runtime).env("DBUS_SESSION_BUS_ADDRESS", self.bus());
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts a server and waits for its socket.
    fn serve(&mut self, program: &str, arguments: &[&str], socket: &str) {
        let log = std::fs::File::create(self.home.with_file_name(format!("{program}.log"))).expect("a log");
        let server = self
            .command(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        self.servers.push(server);
        let socket = self.runtime.join(socket);
        until(&format!("{program} listens"), || socket.exists());
    }

    /// What the server says of what plays.
    fn list(&self, what: &str) -> String {
        let said = self.command("pactl").args(["list", what]).output().expect("it answers");
        String::from_utf8_lossy(&said.stdout).into_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for mut server in self.servers.drain(..).rev() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// A number of the user whose session it is.
fn number(option: &str) -> u32 {
    let said = Command::new("id").args([option, "daemon"]).output().expect("it answers");
    String::from_utf8_lossy(&said.stdout).trim().parse().expect("every system has this user")
}

/// What of root's is below a directory. The servers of the session write there too, when it suits them.
fn of_root(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("reads") {
        let path = entry.expect("reads").path();
        // What a server has made a moment ago may be gone again.
        let Ok(stands) = path.symlink_metadata() else { continue };
        if stands.is_dir() {
            found.extend(of_root(&path));
        }
        if stands.uid() == 0 {
            found.push(path);
        }
    }
    found
}

/// What must be there for it: the servers, and QEMU's own part.
fn ready(programs: &[&str]) -> Option<Launcher> {
    let module = "/usr/lib/x86_64-linux-gnu/qemu/audio-pa.so";
    let missing: Vec<String> = programs
        .iter()
        .map(|program| format!("/usr/bin/{program}"))
        .chain([module.to_owned()])
        .filter(|path| !Path::new(path).exists())
        .collect();
    if !missing.is_empty() {
        eprintln!(
            "skipped: {} are not there (pulseaudio, pipewire-pulse, qemu-system-gui)",
            missing.join(", ")
        );
        return None;
    }
    launcher()
}

/// Starts a guest that plays in this session, and looks at what its server says of it.
fn plays(session: &Session, directory: &Path, launcher: &Launcher) {
    let mut spec = spec(directory);
    spec.firmware = FirmwareKind::Seabios;
    let backend = AudioBackend::Pulseaudio(Some(session.runtime.clone()));
    spec.audio = Some(Audio { backend, codec: AudioCodec::Duplex });
    spec.run_as = session.ids.map(|_| "nobody".parse().expect("a name"));
    let guest = build(&spec);
    let paths = GuestPaths::new(directory, directory, guest.name());
    let started = begin(&guest, &paths, launcher).expect("started");
    let said = (session.list("sink-inputs"), session.list("clients"));
    let user = line_of(started.pid, "Uid:");
    let left = of_root(&session.home);
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
    assert!(said.0.contains("Sink Input #"), "{}", said.0);
    let process = format!("application.process.id = \"{}\"", started.pid);
    let client = said.1.split("\nClient #").find(|client| client.contains(&process));
    assert!(client.is_some(), "{}", said.1);
    if session.ids.is_some() {
        assert!(client.is_some_and(|client| client.contains("application.process.user = \"daemon\"")));
        assert_eq!(user, "Uid:\t65534\t65534\t65534\t65534", "and then it is no longer that user");
        assert_eq!(left, Vec::<PathBuf>::new(), "nothing of root's is left in the home of somebody else");
    }
}

#[test]
fn a_guest_that_root_starts_plays_through_pulseaudio_of_the_user_whose_session_it_is() {
    let Some(launcher) = ready(&["pulseaudio", "pactl"]) else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    super::open(directory.path());
    let mut session = Session::below(directory.path());
    let modules = ["-L", "module-null-sink", "-L", "module-native-protocol-unix"];
    let alone = ["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"];
    session.serve("pulseaudio", &[&alone[..], &modules].concat(), "pulse/native");
    plays(&session, directory.path(), &launcher);
}

#[test]
fn and_through_what_stands_in_for_pulseaudio_on_pipewire() {
    let Some(launcher) = ready(&["dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse", "pactl"]) else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    super::open(directory.path());
    let mut session = Session::below(directory.path());
    let address = format!("--address={}", session.bus());
    session.serve("dbus-daemon", &["--session", "--nofork", "--nopidfile", &address], "bus");
    session.serve("pipewire", &[], "pipewire-0");
    // It says what plays where, and has no socket of its own.
    session.serve("wireplumber", &[], "pipewire-0");
    session.serve("pipewire-pulse", &[], "pulse/native");
    let sink =
        session.command("pactl").args(["load-module", "module-null-sink"]).output().expect("it answers");
    assert!(sink.status.success(), "{sink:?}");
    plays(&session, directory.path(), &launcher);
}
