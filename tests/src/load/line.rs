//! The lines that the program prints.

use std::fmt;

/// Records of one partition that one run of the program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The number that the run was given.
    pub life: u32,
    /// The first offset, inclusive.
    pub start: i64,
    /// The last offset, exclusive.
    pub end: i64,
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A flush of these records completed.
    Acked(i32, Span),
    /// The log start is about to move to this offset.
    Starting(i32, i64),
    /// The log start has moved there, durably.
    Started(i32, i64),
    /// An append was refused for want of space; the log ends there.
    Full(i32, i64),
    /// The directory went out of service, and why.
    Failed(String),
    /// A flush that was begun after the failure succeeded, which must not be.
    Late(i32),
    /// Something that was found when a log was opened.
    Finding(i32, String),
    /// From where to where a log reaches, as it was opened.
    Log(i32, i64, i64),
    /// These records are there.
    Held(i32, Span),
    /// A read of this offset was refused, and why.
    Refused(i32, i64, String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acked(partition, Span { life, start, end }) => {
                write!(f, "acked {partition} {life} {start} {end}")
            }
            Self::Starting(partition, offset) => write!(f, "starting {partition} {offset}"),
            Self::Started(partition, offset) => write!(f, "started {partition} {offset}"),
            Self::Full(partition, offset) => write!(f, "full {partition} {offset}"),
            Self::Failed(why) => write!(f, "failed {why}"),
            Self::Late(partition) => write!(f, "late {partition}"),
            Self::Finding(partition, what) => write!(f, "finding {partition} {what}"),
            Self::Log(partition, start, end) => write!(f, "log {partition} {start} {end}"),
            Self::Held(partition, Span { life, start, end }) => {
                write!(f, "held {partition} {life} {start} {end}")
            }
            Self::Refused(partition, offset, why) => {
                write!(f, "refused {partition} {offset} {why}")
            }
        }
    }
}

impl Line {
    /// Reads a line; `None` for what is none of them, and for one that was cut off.
    pub fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        let mut words = rest.splitn(4, ' ');
        let mut number = || words.next()?.parse::<i64>().ok();
        let partition = |number: i64| i32::try_from(number).ok();
        let text = |skipped: usize| rest.splitn(skipped + 1, ' ').nth(skipped).map(str::to_owned);
        Some(match word {
            "acked" | "held" => {
                let (partition, life) = (partition(number()?)?, u32::try_from(number()?).ok()?);
                let span = Span { life, start: number()?, end: number()? };
                if word == "acked" {
                    Self::Acked(partition, span)
                } else {
                    Self::Held(partition, span)
                }
            }
            "starting" => Self::Starting(partition(number()?)?, number()?),
            "started" => Self::Started(partition(number()?)?, number()?),
            "full" => Self::Full(partition(number()?)?, number()?),
            "failed" => Self::Failed(rest.to_owned()),
            "late" => Self::Late(partition(number()?)?),
            "finding" => Self::Finding(partition(number()?)?, text(1)?),
            "log" => Self::Log(partition(number()?)?, number()?, number()?),
            "refused" => Self::Refused(partition(number()?)?, number()?, text(2)?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_reads_back() {
        let span = Span { life: 3, start: 10, end: 20 };
        for line in [
            Line::Acked(1, span),
            Line::Starting(1, 5),
            Line::Started(1, 5),
            Line::Full(0, 9),
            Line::Failed("flush a b: EIO".to_owned()),
            Line::Late(2),
            Line::Finding(2, "offsets 1..2 are not served".to_owned()),
            Line::Log(0, 0, 7),
            Line::Held(0, span),
            Line::Refused(1, 4, "bytes and more".to_owned()),
        ] {
            assert_eq!(Line::parse(&line.to_string()), Some(line));
        }
        assert_eq!(Line::parse("acked 1 2 3"), None);
    }
}
