//! Owns that ONNX Runtime gathers no telemetry, neither here nor in the runners: it is to use no network and to leave no files of its own
//! in the temporary folder.
//!
//! Its switch is a variable of the environment that it reads as it is loaded. `ort`'s `with_telemetry(false)` comes too late: by
//! then the files are there.

/// The switch. On Windows telemetry goes through the system and leaves no files; there `with_telemetry(false)` is enough.
const SWITCH: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");

/// The variable that a runner's environment has to have.
pub fn no_telemetry() -> (String, String) {
    (SWITCH.0.to_owned(), SWITCH.1.to_owned())
}

/// Starts this program anew in its own place, in the same process, with the switch set; does nothing where it is. Setting a variable of the
/// running process would not be safe.
#[cfg(unix)]
pub fn disable_telemetry() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    if std::env::var_os(SWITCH.0).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut words = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    // It comes back only where this fails, which is no reason not to do what was asked.
    let _ = command.args(words).env(SWITCH.0, SWITCH.1).exec();
}

/// Nothing is to be done.
#[cfg(not(unix))]
pub const fn disable_telemetry() {}
