//! What becomes of a broker of which a part has panicked.
//!
//! A task or a thread that isn't there any more leaves a broker that others take for a whole one:
//! connected and beating, and never heard of again in what that part did. Such a broker ends at
//! once, as if it had been killed, and starts again in a moment. What serves one client is a part
//! that the others can do without: it ends alone, with its connection.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic;
use std::pin::pin;

thread_local! {
    /// Whether what runs on this thread serves one client.
    static SERVES_ONE: Cell<bool> = const { Cell::new(false) };
}

/// Has this process end where a part of it panics that the rest can't do without. To be called
/// once, by the program.
pub fn end_on_panic() {
    let say = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        say(what);
        if !SERVES_ONE.get() {
            std::process::abort();
        }
    }));
}

/// What serves one client.
pub(crate) async fn for_one<T>(serve: impl Future<Output = T>) -> T {
    let mut serve = pin!(serve);
    poll_fn(|context| {
        let _turn = Turn::begin();
        serve.as_mut().poll(context)
    })
    .await
}

/// While it is there, what runs serves one client; has what was so before.
struct Turn(bool);

impl Turn {
    fn begin() -> Self {
        Self(SERVES_ONE.replace(true))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        SERVES_ONE.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::process::Command;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn only_what_serves_one_client_may_panic_and_nothing_after_it() {
        let mut turns = 0;
        let serve = for_one(poll_fn(|_| {
            assert!(SERVES_ONE.get());
            turns += 1;
            assert!(turns < 2, "as meant");
            Poll::<()>::Pending
        }));
        let (mut serve, mut context) = (Box::pin(serve), Context::from_waker(Waker::noop()));
        let mut poll = || catch_unwind(AssertUnwindSafe(|| serve.as_mut().poll(&mut context)));
        assert_eq!(poll().unwrap(), Poll::Pending);
        assert!(!SERVES_ONE.get());
        assert!(poll().is_err());
        assert!(!SERVES_ONE.get());
    }

    /// What panics, in a process of its own.
    const PANICS: &str = "PANICS";

    fn panic_in(part: &str) {
        end_on_panic();
        let serve = async { panic!("as meant") };
        let mut serve: std::pin::Pin<Box<dyn Future<Output = ()>>> =
            if part == "client" { Box::pin(for_one(serve)) } else { Box::pin(serve) };
        let mut context = Context::from_waker(Waker::noop());
        let ended = catch_unwind(AssertUnwindSafe(|| serve.as_mut().poll(&mut context)));
        assert!(ended.is_err());
    }

    #[test]
    fn a_process_ends_where_it_panics_unless_that_serves_one_client() {
        if let Ok(part) = std::env::var(PANICS) {
            return panic_in(&part);
        }
        let run = |part| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let name =
                "panics::tests::a_process_ends_where_it_panics_unless_that_serves_one_client";
            command.args(["--exact", name, "--nocapture"]).env(PANICS, part).output().unwrap()
        };
        let (client, task) = (run("client"), run("task"));
        for output in [&client, &task] {
            assert!(String::from_utf8_lossy(&output.stderr).contains("as meant"), "{output:?}");
        }
        assert!(client.status.success(), "{client:?}");
        assert_eq!(task.status.signal(), Some(rustix::process::Signal::ABORT.as_raw()));
    }
}
