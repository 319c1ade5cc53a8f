//! `check`: all that is there.

use logboom_tests::load::{Held, Line, held};

use crate::arguments::Arguments;
use crate::open::{open_directory, open_logs};
use crate::{Failure, say};

/// Opens the directory as a start does, and prints every record that is served or refused.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let directory = open_directory(arguments)?;
    let logs = open_logs(arguments, &directory)?;
    for (partition, log) in (0..).zip(&logs) {
        let (start, end) = (log.view().log_start_offset(), log.end_offset());
        say(&Line::Log(partition, start, end));
        let Held { spans, refused } =
            held(log.view(), partition, start, end).map_err(Failure::Wrong)?;
        spans.iter().for_each(|span| say(&Line::Held(partition, *span)));
        for refused in refused {
            let why = refused.corruption.to_string();
            say(&Line::Refused(partition, refused.offset, why));
        }
    }
    if arguments.close {
        let closed = logs.into_iter().try_for_each(logboom_storage::Log::close);
        let closed = closed.and_then(|()| directory.close());
        closed.map_err(|error| Failure::Wrong(error.to_string()))?;
    }
    Ok(())
}
