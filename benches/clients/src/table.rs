//! What was measured, as a table: medians over the rounds, and ratios within them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Numbers by work, size and client, a list of rounds each.
#[derive(Debug, Default)]
pub(crate) struct Results {
    rounds: BTreeMap<(String, usize), BTreeMap<String, Vec<Value>>>,
}

impl Results {
    pub(crate) fn add(&mut self, work: &str, bytes: usize, client: &str, spent: &Value) {
        let works = self.rounds.entry((work.to_owned(), bytes)).or_default();
        works.entry(client.to_owned()).or_default().push(spent.clone());
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => f64::NAN,
        count if count % 2 == 0 => f64::midpoint(numbers[middle - 1], numbers[middle]),
        _ => numbers[middle],
    }
}

fn number(spent: &Value, field: &str) -> f64 {
    spent[field].as_f64().unwrap_or(f64::NAN)
}

/// Records a second of the processor's time.
fn by_cpu(spent: &Value) -> f64 {
    number(spent, "records") / number(spent, "cpu_seconds")
}

fn by_time(spent: &Value) -> f64 {
    number(spent, "records") / number(spent, "seconds")
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| work | client | records/s | a CPU second | ours is times | p99 ms | peak RSS MiB |"
        )?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
        for ((work, bytes), clients) in &self.rounds {
            let ours = clients.get("ours").map(Vec::as_slice).unwrap_or_default();
            for (client, rounds) in clients {
                let all = |read: fn(&Value) -> f64| median(rounds.iter().map(read).collect());
                let pairs = ours.iter().zip(rounds);
                let ratio = median(pairs.map(|(a, b)| by_cpu(a) / by_cpu(b)).collect());
                let p99 = all(|spent| number(spent, "p99_us") / 1e3);
                let p99 = if p99.is_nan() { "–".to_owned() } else { format!("{p99:.1}") };
                writeln!(
                    f,
                    "| {work} {bytes} B | {client} | {:.0} | {:.0} | {ratio:.2} | {p99} | {:.0} |",
                    all(by_time),
                    all(by_cpu),
                    all(|spent| number(spent, "peak_rss_kib") / 1024.0),
                )?;
            }
        }
        Ok(())
    }
}
