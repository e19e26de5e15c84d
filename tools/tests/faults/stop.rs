//! COLD: nothing prevents the cancels: signals, dead outputs, a bug, and the kill verb that waits for its answer.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::desk::Desk;
use crate::rig::{Ended, Exchange, HANG, Running, Setup, number, settled, shown, signal, with_outputs};

/// A live run that says nothing to anybody but its log file.
struct Unheard {
    process: Child,
    setup: Setup,
    _exchange: Exchange,
}

impl Unheard {
    /// Starts it with its outputs as the shell makes them of `outputs`; what the shell leaves is a pipe without reader.
    fn start(outputs: &str) -> Unheard {
        let exchange = Exchange::start("");
        let setup = Setup::on(&exchange);
        let run = setup.command(&["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--log-file", "log"]);
        let mut command = with_outputs(outputs, &run);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
        drop((process.stdout.take(), process.stderr.take()));
        Unheard { process, setup, _exchange: exchange }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.setup.path("log")).unwrap_or_default()
    }

    #[track_caller]
    fn until_quotes(&mut self) {
        let until = Instant::now() + HANG;
        while !shown(&self.log()).last().is_some_and(|line| line.live && line.quotes == 2) {
            assert_eq!(self.process.try_wait().expect("a child of ours"), None, "it ended:\n{}", self.log());
            assert!(Instant::now() < until, "no quotes in time:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its exit code; a process that a signal ended has none.
    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        let until = Instant::now() + HANG;
        loop {
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                return status.code();
            }
            assert!(Instant::now() < until, "it hangs:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn outputs_that_are_dead_full_or_closed_keep_nobody_from_cancelling() {
    // A pipe whose reader is gone, a full device, none at all.
    let mut runs = ["", ">/dev/full 2>/dev/full", ">&- 2>&-"].map(Unheard::start);
    runs.iter_mut().for_each(Unheard::until_quotes);
    // The run's own word is lost, but 130 is said only where the venue confirmed that nothing is open.
    signal(runs[0].process.id(), "TERM");
    signal(runs[1].process.id(), "HUP");
    // The kill verb hears it from the engine.
    let killed = runs[2].setup.spinbook(&["kill", "-c", "run.toml"]);
    killed.says(0, &[]);
    for run in &mut runs {
        assert_eq!(run.end(), Some(130), "{}", run.log());
    }
    for (run, cause) in runs.iter().zip(["SIGTERM", "SIGHUP", "spinbook kill"]) {
        let line = format!("WARN {cause}: cancelling everything");
        assert!(run.log().contains(&line), "no `{line}` in:\n{}", run.log());
        // What is lost is counted, where it is still heard; what was closed from the start loses nothing.
        let lost = run.log().contains("could not be written to standard output");
        assert_eq!(lost, cause != "spinbook kill", "{}", run.log());
        // Each line of progress has its time.
        let progress = run.log().lines().find(|line| line.contains(" s  BTCUSDT ")).map(str::to_owned);
        assert!(progress.is_some_and(|line| line.starts_with("20") && line.contains("Z  INFO ")), "{}", run.log());
    }
}

#[test]
fn signals_stop_in_order_or_mean_nothing() {
    let stops = ["INT", "TERM", "QUIT", "HUP", "USR1"];
    let exchanges = stops.map(|_| Exchange::start(""));
    let setups = exchanges.each_ref().map(Setup::on);
    let mut runs = setups.each_ref().map(Setup::start_live);
    runs.iter_mut().for_each(Running::until_quotes);
    for (run, stop) in runs.iter().zip(stops) {
        for nothing in ["USR2", "ALRM", "VTALRM", "PROF", "TSTP", "34"] {
            signal(run.id(), nothing);
        }
        signal(run.id(), stop);
        if stop == "HUP" {
            // A closing terminal says it more than once; nobody is in a hurry for that.
            signal(run.id(), stop);
        }
    }
    for ((ended, stop), exchange) in runs.map(Running::end).iter().zip(stops).zip(&exchanges) {
        let report = settled(ended);
        assert!(number(&report, "/orders/canceled") > 0, "{report}");
        ended.says(130, &[&format!("SIG{stop}: cancelling everything")]);
        assert!(Desk::of_the_engine(exchange).open_orders().is_empty(), "{stop}");
    }
}

#[test]
fn a_bug_of_the_hot_thread_ends_with_everything_cancelled() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start(&[
        "run",
        "-c",
        "run.toml",
        "--mode",
        "live",
        "--account",
        "sim0",
        "--json",
        "--panic-on-user-signal",
    ]);
    run.until_quotes();
    signal(run.id(), "USR2");
    run.end().says(
        1,
        &["the thread spinbook-hot panicked", "everything was cancelled, and the venue confirmed it", "this is a bug"],
    );
    // Nothing is left for the next run to clean up, nor for a guard.
    assert!(Desk::of_the_engine(&exchange).open_orders().is_empty());
    assert!(!setup.path("state/trading").exists() && !setup.path("state/kill").exists());
    let mut next = setup.start_live();
    next.until_quotes();
    settled(&next.interrupted());
}

/// What lies in a folder of the test.
fn listing(setup: &Setup, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(setup.path(folder)).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_kill_that_no_engine_hears_says_so() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let kill = |arguments: &[&str]| -> Ended { setup.spinbook(&[&["kill"], arguments].concat()) };
    // Neither a folder that is not there, nor one that no run has made, is written to.
    fs::create_dir(setup.path("foo")).expect("made");
    fs::create_dir_all(setup.path("bar/run")).expect("made");
    for folder in ["foo", "bar", "nowhere", "/"] {
        kill(&["--state-dir", folder, "--json"]).refuses(2, &["no engine ever ran", folder]);
    }
    kill(&["-c", "run.toml", "--json"]).refuses(2, &["no engine ever ran", "state"]);
    assert_eq!((listing(&setup, "foo").len(), listing(&setup, "bar")), (0, vec!["run".to_owned()]));

    let mut run = setup.start_live();
    run.until_quotes();
    settled(&run.interrupted());
    kill(&["-c", "run.toml", "--json"])
        .refuses(1, &["no engine runs with this state directory", "nothing was cancelled"]);
    assert!(listing(&setup, "state").contains(&"kill".to_owned()), "it is latched all the same");
    setup.live().refuses(2, &["trading was halted by `spinbook kill`"]);
}

#[test]
fn a_kill_waits_for_its_answer_and_no_longer_than_it_is_told() {
    let exchange = Exchange::start("");
    // Wrong elsewhere, and still it names the state folder.
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    let text = fs::read_to_string(setup.path("run.toml")).expect("written");
    setup.write("edited.toml", &text.replace("[risk]", "[risks]"), 0o644);
    exchange.freeze();
    let ended = setup.spinbook(&["kill", "-c", "edited.toml", "--wait", "1", "--json"]);
    ended.refuses(1, &["the kill was not confirmed", "did not confirm within 1 s", "look at the account"]);
    exchange.thaw();
    // Asked again it waits on, for the answer to the same request.
    let ended = setup.spinbook(&["kill", "-c", "edited.toml", "--wait", "60", "--json"]);
    let answer = ended.says(0, &[]).object();
    assert_eq!((&answer["confirmed"], &answer["already_there"]), (&true.into(), &true.into()), "{answer}");
    assert_eq!(number(&answer, "/open_orders"), 0);
    settled(&run.end());
}
