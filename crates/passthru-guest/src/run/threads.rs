//! Putting the threads of a running QEMU on their CPUs.
//!
//! QEMU is started with the CPUs of its own threads, and paused: each thread that it makes begins with the CPUs of the thread
//! that makes it. So also those that it makes later (workers of block devices, of a VNC client, of a hot-plugged vCPU) never
//! begin on a CPU of the guest. The threads that run vCPUs and I/O threads are then moved one by one, before the guest's first
//! instruction.

use std::process::{Command, Stdio};
use std::time::Duration;

use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_tuning::{Scheduler, ThreadPlaces};
use rustix::process::Pid;
use serde_json::Value;

use crate::qmp::{Qmp, QmpError};

/// Why threads are not where they belong.
#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    /// QEMU does not say which threads it has.
    #[error("which threads QEMU runs is not known")]
    Unknown(#[source] QmpError),
    /// There are more vCPUs than places, or fewer.
    #[error("QEMU runs {found} vCPUs, and CPUs were chosen for {planned}")]
    Count {
        /// What QEMU has.
        found: usize,
        /// What was planned.
        planned: usize,
    },
    /// The kernel does not let the thread run there.
    #[error("{what} cannot be put on CPU {cpus}: {why}")]
    Place {
        /// Which thread.
        what: String,
        /// Where it belongs.
        cpus: CpuSet,
        /// Why, in the kernel's words.
        why: String,
    },
    /// The kernel does not schedule the thread so.
    #[error("{what} cannot be scheduled round-robin: {why}")]
    Schedule {
        /// Which thread.
        what: String,
        /// Why.
        why: String,
    },
}

/// Moves the threads of vCPUs and I/O threads to their places.
pub(super) fn place(qmp: &mut Qmp, places: &ThreadPlaces, limit: Duration) -> Result<(), ThreadError> {
    let answer = qmp.execute("query-cpus-fast", None, limit).map_err(ThreadError::Unknown)?;
    let vcpus = vcpu_threads(&answer);
    if vcpus.len() != places.vcpus.len() {
        return Err(ThreadError::Count { found: vcpus.len(), planned: places.vcpus.len() });
    }
    for ((number, thread), cpu) in vcpus.iter().zip(&places.vcpus) {
        let what = format!("vCPU {number}");
        bind(Some(*thread), &CpuSet::from_iter([*cpu]), &what)?;
        if places.scheduler == Scheduler::RoundRobin {
            round_robin(*thread, &what)?;
        }
    }
    let answer = qmp.execute("query-iothreads", None, limit).map_err(ThreadError::Unknown)?;
    for thread in answer.as_array().into_iter().flatten().filter_map(thread_id) {
        bind(Some(thread), &places.iothreads, "an I/O thread")?;
    }
    Ok(())
}

/// The threads of vCPUs in an answer to `query-cpus-fast`, in order of vCPU.
fn vcpu_threads(answer: &Value) -> Vec<(u64, i32)> {
    let mut found: Vec<(u64, i32)> = answer
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|cpu| Some((cpu["cpu-index"].as_u64()?, thread_id(cpu)?)))
        .collect();
    found.sort_unstable();
    found
}

fn thread_id(answer: &Value) -> Option<i32> {
    i32::try_from(answer["thread-id"].as_i64()?).ok().filter(|thread| *thread > 0)
}

/// Binds a thread, or the one that runs this, to CPUs, and looks whether the kernel did: it leaves out what a cpuset does not
/// allow, without a word.
pub(super) fn bind(thread: Option<i32>, cpus: &CpuSet, what: &str) -> Result<(), ThreadError> {
    let error = |why: String| ThreadError::Place { what: what.to_owned(), cpus: cpus.clone(), why };
    let thread = thread.and_then(Pid::from_raw);
    let mut wanted = rustix::thread::CpuSet::new();
    for cpu in cpus.iter() {
        let cpu = usize::try_from(cpu).unwrap_or(usize::MAX);
        if cpu >= rustix::thread::CpuSet::MAX_CPU {
            return Err(error(format!("CPU {cpu} is beyond what one call can name")));
        }
        wanted.set(cpu);
    }
    rustix::thread::sched_setaffinity(thread, &wanted).map_err(|errno| error(errno.to_string()))?;
    let now = rustix::thread::sched_getaffinity(thread).map_err(|errno| error(errno.to_string()))?;
    if now == wanted { Ok(()) } else { Err(error("a cpuset keeps it off some of them".to_owned())) }
}

/// `SCHED_RR` as `/proc/PID/stat` has it (`include/uapi/linux/sched.h`).
const SCHED_RR: &str = "2";

/// Has a thread scheduled round-robin at the lowest real-time priority, and looks whether it is. The call is `chrt`'s, which every
/// distribution has (`chrt(1)`, util-linux).
fn round_robin(thread: i32, what: &str) -> Result<(), ThreadError> {
    let error = |why: String| ThreadError::Schedule { what: what.to_owned(), why };
    let out = Command::new("chrt")
        .args(["-r", "-p", "1", &thread.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|why| error(format!("chrt cannot be started: {why}")))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        return Err(error(said.trim().chars().filter(|c| !c.is_control()).collect()));
    }
    let path = format!("/proc/{thread}/stat");
    let stat = std::fs::read_to_string(&path).map_err(|why| error(format!("{path}: {why}")))?;
    match policy(&stat) {
        Some(SCHED_RR) => Ok(()),
        found => Err(error(format!("chrt said nothing, and the policy is {}", found.unwrap_or("not told")))),
    }
}

/// The scheduling policy, field 41 of `/proc/PID/stat` (`proc_pid_stat(5)`). The name, field 2, may hold blanks and brackets.
fn policy(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(41 - 3)
}

#[cfg(test)]
mod tests {
    use super::{ThreadError, bind, policy, round_robin, vcpu_threads};
    use passthru_model::cpu_set::CpuSet;
    use serde_json::json;

    #[test]
    fn threads_are_told_in_order_of_vcpu_and_what_is_no_thread_is_left_out() {
        let answer = json!([
            { "cpu-index": 1, "thread-id": 43, "target": "x86_64" },
            { "cpu-index": 0, "thread-id": 42 },
            { "cpu-index": 2, "thread-id": -1 },
            { "thread-id": 44 },
        ]);
        assert_eq!(vcpu_threads(&answer), [(0, 42), (1, 43)]);
        assert_eq!(vcpu_threads(&json!({})), []);
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error_and_moves_nothing() {
        let before = rustix::thread::sched_getaffinity(None).expect("an affinity");
        let error = bind(None, &CpuSet::from_iter([1023]), "vCPU 0").expect_err("no such CPU").to_string();
        assert!(error.starts_with("vCPU 0 cannot be put on CPU 1023: Invalid argument"), "{error}");
        let error = bind(None, &CpuSet::from_iter([4096]), "vCPU 0").expect_err("no such CPU").to_string();
        assert!(error.contains("beyond what one call can name"), "{error}");
        assert_eq!(rustix::thread::sched_getaffinity(None).expect("an affinity"), before);
    }

    #[test]
    fn a_thread_is_scheduled_round_robin_or_the_kernels_reason_is_said() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
        let pid = i32::try_from(child.id()).expect("a process id");
        let outcome = round_robin(pid, "vCPU 3");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its state");
        child.kill().expect("killed");
        child.wait().expect("its end");
        match outcome {
            Ok(()) => assert_eq!(policy(&stat), Some("2")),
            // Without the right to, as in many containers.
            Err(error) => {
                let said = error.to_string();
                assert!(said.starts_with("vCPU 3 cannot be scheduled round-robin: chrt: "), "{said}");
                assert_eq!(policy(&stat), Some("0"));
            }
        }
        assert!(matches!(round_robin(i32::MAX, "vCPU 0"), Err(ThreadError::Schedule { .. })));
    }

    #[test]
    fn a_policy_is_found_behind_any_name() {
        let rest: Vec<String> = (3..=52).map(|field| field.to_string()).collect();
        assert_eq!(policy(&format!("1 (a b) c) {}", rest.join(" "))), Some("41"));
        assert_eq!(policy("1 (a b) S 1"), None);
        assert_eq!(policy(""), None);
    }
}
