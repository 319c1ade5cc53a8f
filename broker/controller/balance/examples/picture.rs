//! A simulated rebalance as a picture: the worst utilisation of each broker over time, as SVG on
//! standard output.
//!
//! ```text
//! cargo run --release -p logboom-balance --example picture > docs/balancing.svg
//! ```

#![expect(clippy::print_stdout, reason = "the picture is what it makes")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use logboom_balance::sim::{self, Shape};
use logboom_balance::snapshot::{Snapshot, Standing};
use logboom_balance::{Limits, Move, Options, Rates, Resource, after, next, plan};

/// A point of a line: seconds, and percent.
type Point = (f64, f64);

/// Size of the picture and of what is around the plot.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 50.0;
/// Brokers that are drawn apart from the others, with their colours and what is said of them.
const NAMED: [(i32, &str, &str); 3] =
    [(12, "#d1495b", "joins"), (3, "#00798c", "is lost"), (7, "#edae49", "is drained")];
/// Between two numbers below the plot, in seconds.
const TICK_S: f64 = 1_800.0;
/// What is there between two things that happen, in seconds.
const PAUSE_S: f64 = 120.0;

/// A cluster over time.
struct Film {
    snapshot: Snapshot,
    now_s: f64,
    /// By broker's id.
    lines: Vec<Vec<Point>>,
    happened: Vec<(f64, String)>,
}

fn main() {
    let shape = Shape {
        seed: 1,
        brokers: 12,
        // In three, one would have all small brokers, and no room for its replicas.
        racks: 4,
        partitions: 2_400,
        replicas: 3,
        is_mixed: true,
        has_capacities: true,
    };
    let snapshot = sim::cluster(&shape);
    let mut film = Film { snapshot, now_s: 0.0, lines: vec![Vec::new(); 13], happened: Vec::new() };
    film.rebalance("placed without regard to loads");
    film.snapshot = sim::with_one_more(&film.snapshot, &shape);
    film.rebalance("broker 12 joins");
    film.snapshot = sim::with_standing(&film.snapshot, 3, Standing::Absent);
    film.rebalance("broker 3 is lost");
    film.snapshot = sim::with_standing(&film.snapshot, 7, Standing::Draining);
    film.rebalance("broker 7 is drained");
    print!("{}", film.drawn());
}

impl Film {
    /// Plans and carries it out: whoever began first is done first.
    fn rebalance(&mut self, what: &str) {
        self.note();
        self.now_s += PAUSE_S;
        self.happened.push((self.now_s, what.to_owned()));
        self.note();
        let moves = plan(&self.snapshot, &Options::default()).moves;
        let limits = Limits { rates: Rates::of_all(400 << 20), ..Limits::default() };
        let mut ends: Vec<(f64, usize)> = Vec::new();
        loop {
            let under_way: BTreeSet<usize> = ends.iter().map(|(_, place)| *place).collect();
            let progress = next(&self.snapshot, &moves, &under_way, &limits);
            ends.extend(progress.now().map(|it| (self.now_s + seconds(&moves[it], &limits), it)));
            ends.sort_by(|one, other| one.0.total_cmp(&other.0));
            if ends.is_empty() {
                break;
            }
            let (end_s, place) = ends.remove(0);
            self.now_s = end_s;
            self.snapshot = after(&self.snapshot, &[moves[place]]);
            self.note();
        }
    }

    /// Adds a point to each line.
    fn note(&mut self) {
        let mut loads = vec![[0_u64; 4]; self.lines.len()];
        for partition in self.snapshot.partitions() {
            for replica in &partition.replicas {
                let load = replica.load;
                let own = &mut loads[usize::try_from(replica.broker).expect("ids are places")];
                let more = [1, load.disk_bytes, load.bytes_in, load.bytes_out];
                own.iter_mut().zip(more).for_each(|(own, more)| *own += more);
            }
        }
        for (broker, load) in self.snapshot.brokers().iter().zip(&loads) {
            let part = |(resource, load): (Resource, &u64)| {
                let capacity = broker.capacity[resource].expect("capacities are known");
                percent(*load, capacity)
            };
            let worst = Resource::MEASURED.into_iter().zip(load).map(part).fold(0.0, f64::max);
            let place = usize::try_from(broker.id).expect("ids are places");
            self.lines[place].push((self.now_s, worst));
        }
    }

    fn drawn(&self) -> String {
        let highest = self.lines.iter().flatten().map(|point| point.1).fold(0.0, f64::max);
        let x = |s: f64| MARGIN + s / self.now_s * (WIDTH - 2.0 * MARGIN);
        let y = |percent: f64| HEIGHT - MARGIN - percent / highest * (HEIGHT - 2.0 * MARGIN);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" \
             fill=\"white\"/>\n<text x=\"{MARGIN}\" y=\"16\">worst utilisation of each broker\
             </text>\n<text transform=\"translate(14 {:.0}) rotate(-90)\" \
             text-anchor=\"middle\">percent of its capacity</text>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">minutes</text>\n",
            HEIGHT / 2.0,
            WIDTH / 2.0,
            HEIGHT - 12.0
        );
        for percent in (0..).map(|step| f64::from(step) * 20.0).take_while(|it| *it <= highest) {
            let (left, right, y) = (MARGIN, WIDTH - MARGIN, y(percent));
            svg += &format!(
                "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>\n\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{percent:.0}</text>\n",
                left - 6.0,
                y + 4.0
            );
        }
        let bottom = HEIGHT - MARGIN;
        svg += &ticks(self.now_s, x);
        for (at_s, what) in &self.happened {
            let (x, top) = (x(*at_s), 30.0);
            svg += &format!(
                "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#999\" stroke-dasharray=\"4\"/>\n\
                 <text x=\"{:.1}\" y=\"40\" fill=\"#555\">{what}</text>\n",
                x + 4.0
            );
        }
        for (id, line) in (0..).zip(&self.lines) {
            let named = NAMED.iter().find(|(named, _, _)| *named == id);
            let (colour, width) = named.map_or(("#8da0cb", 1.0), |it| (it.1, 2.0));
            let path = path(line.iter().map(|(s, percent)| (x(*s), y(*percent))));
            svg += &format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n"
            );
        }
        svg + &legend() + "</svg>\n"
    }
}

/// The minutes below the plot.
fn ticks(until_s: f64, x: impl Fn(f64) -> f64) -> String {
    let mut svg = String::new();
    let ticks = (0..).map(|step| f64::from(step) * TICK_S);
    for at_s in ticks.take_while(|it| *it <= until_s) {
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{:.0}</text>\n",
            x(at_s),
            HEIGHT - MARGIN + 16.0,
            at_s / 60.0
        );
    }
    svg
}

/// What is said of the brokers that are drawn apart, beside the title.
fn legend() -> String {
    let named = NAMED.map(|(id, colour, what)| {
        format!("<tspan fill=\"{colour}\" dx=\"16\">broker {id} {what}</tspan>")
    });
    let (x, named) = (WIDTH - MARGIN, named.concat());
    format!("<text x=\"{x}\" y=\"16\" text-anchor=\"end\">{named}</text>\n")
}

/// A line through points, without those that are next to the one before.
fn path(points: impl Iterator<Item = Point>) -> String {
    let (mut path, mut last) = (String::new(), None);
    for (x, y) in points {
        let is_next =
            |(last_x, last_y): Point| (x - last_x).abs() < 1.0 && (y - last_y).abs() < 1.0;
        if !last.is_some_and(is_next) {
            let letter = if last.is_none() { 'M' } else { 'L' };
            write!(path, "{letter}{x:.0} {y:.0}").expect("into memory");
            last = Some((x, y));
        }
    }
    path
}

/// How long a move takes, if the broker does all that it may at once.
fn seconds(one: &Move, limits: &Limits) -> f64 {
    let share = limits.rates.usual / limits.moves_per_broker as u64;
    percent(one.bytes, share) / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "a picture for people")]
fn percent(part: u64, of: u64) -> f64 {
    part as f64 * 100.0 / of as f64
}
