//! Pictures of figures, as SVG: lines over an axis that is linear or logarithmic.
//!
//! Must always hold: a picture has a bounded number of points; both axes have a name, a unit and
//! ticks; what isn't a number isn't drawn.

use std::fmt::Write as _;

use super::escaped;
use crate::numbers::real;

/// The picture's size, in its own units.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
/// What is left around the lines for ticks and names.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 48.0;
/// Parts of a line; each keeps its least and its greatest value.
const PARTS_MAX: usize = 400;
/// Colours that the page has.
const COLOURS: usize = 8;
/// About so many ticks.
const TICKS: f64 = 6.0;

/// A picture.
#[derive(Debug)]
pub(super) struct Plot {
    /// What it shows, for who can't see it.
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// An axis.
#[derive(Debug)]
pub(super) struct Axis {
    /// With its unit.
    pub(super) name: String,
    pub(super) is_logarithmic: bool,
    /// How a tick is written.
    pub(super) label: fn(f64) -> String,
}

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    /// Lines of one name and one colour are one in the key.
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) points: Vec<(f64, f64)>,
}

/// From values to places.
struct Scale {
    from: f64,
    to: f64,
    is_logarithmic: bool,
    /// The places of both ends.
    places: (f64, f64),
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        let (from, to, value) = match self.is_logarithmic {
            true => (self.from.ln(), self.to.ln(), value.max(self.from).ln()),
            false => (self.from, self.to, value),
        };
        let share = if to > from { (value - from) / (to - from) } else { 0.5 };
        self.places.0 + share.clamp(0.0, 1.0) * (self.places.1 - self.places.0)
    }
}

impl Plot {
    /// The picture; a sentence where there is nothing to be seen.
    pub(super) fn svg(&self) -> String {
        let usable = |line: &Line| -> Vec<(f64, f64)> {
            let fits = |axis: &Axis, value: f64| {
                value.is_finite() && (!axis.is_logarithmic || value > 0.0)
            };
            let points = line.points.iter().copied();
            thinned(points.filter(|(x, y)| fits(&self.x, *x) && fits(&self.y, *y)).collect())
        };
        let lines = self.lines.iter().map(|line| (line, usable(line)));
        let lines: Vec<_> = lines.filter(|(_, points)| !points.is_empty()).collect();
        let all = || lines.iter().flat_map(|(_, points)| points);
        if all().next().is_none() {
            return format!("<p class=\"none\">{}: nothing to show.</p>\n", escaped(&self.title));
        }
        let (x_ticks, x) = self.x.scale(all().map(|(x, _)| *x), (LEFT, WIDTH - RIGHT), false);
        let (y_ticks, y) = self.y.scale(all().map(|(_, y)| *y), (HEIGHT - BOTTOM, TOP), true);
        let mut svg = format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\
             <title>{}</title>\n",
            escaped(&self.title)
        );
        self.write_axes(&mut svg, (&x, &x_ticks), (&y, &y_ticks));
        for (line, points) in &lines {
            write_line(&mut svg, line, points, (&x, &y));
        }
        svg.push_str("</svg>\n<figcaption>");
        let mut keys: Vec<(&str, usize)> = Vec::new();
        for (line, _) in &lines {
            let key = (line.name.as_str(), line.colour % COLOURS);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        for (name, colour) in keys {
            let name = escaped(name);
            write(&mut svg, format_args!("<span class=\"key c{colour}\">{name}</span> "));
        }
        svg.push_str("</figcaption></figure>\n");
        svg
    }

    fn write_axes(&self, svg: &mut String, x: (&Scale, &[f64]), y: (&Scale, &[f64])) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for tick in y.1 {
            let (place, label) = (y.0.place(*tick), escaped(&(self.y.label)(*tick)));
            let (text_x, text_y) = (LEFT - 8.0, place + 4.0);
            write(
                svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{place:.1}\" \
                 y2=\"{place:.1}\"/><text class=\"end\" x=\"{text_x}\" y=\"{text_y:.1}\">{label}\
                 </text>\n"
                ),
            );
        }
        for tick in x.1 {
            let (place, label) = (x.0.place(*tick), escaped(&(self.x.label)(*tick)));
            let (to, text_y) = (bottom + 5.0, bottom + 19.0);
            write(
                svg,
                format_args!(
                    "<line class=\"axis\" x1=\"{place:.1}\" x2=\"{place:.1}\" y1=\"{bottom}\" \
                     y2=\"{to}\"/><text class=\"middle\" x=\"{place:.1}\" y=\"{text_y}\">\
                     {label}</text>\n"
                ),
            );
        }
        let (middle_x, middle_y) = (f64::midpoint(LEFT, right), f64::midpoint(TOP, bottom));
        let (name_x, name_y) = (escaped(&self.x.name), escaped(&self.y.name));
        let text_y = HEIGHT - 8.0;
        write(
            svg,
            format_args!(
                "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\
             <text class=\"middle name\" x=\"{middle_x}\" y=\"{text_y}\">{name_x}</text>\
             <text class=\"middle name\" transform=\"translate(14 {middle_y}) rotate(-90)\">\
             {name_y}</text>\n"
            ),
        );
    }
}

fn write_line(svg: &mut String, line: &Line, points: &[(f64, f64)], (x, y): (&Scale, &Scale)) {
    let colour = line.colour % COLOURS;
    let places: Vec<(f64, f64)> =
        points.iter().map(|(px, py)| (x.place(*px), y.place(*py))).collect();
    let name = escaped(&line.name);
    if let [(px, py)] = places[..] {
        write(
            svg,
            format_args!(
                "<circle class=\"dot c{colour}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"4\">\
                 <title>{name}</title></circle>\n"
            ),
        );
        return;
    }
    let path = places.iter().map(|(px, py)| format!("{px:.1},{py:.1}"));
    let path = path.collect::<Vec<_>>().join(" ");
    write(
        svg,
        format_args!(
            "<polyline class=\"line c{colour}\" points=\"{path}\">\
             <title>{name}</title></polyline>\n"
        ),
    );
}

fn write(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a text takes all that is written");
}

impl Axis {
    /// The ticks, and where values are placed.
    ///
    /// - `rounded`: whether a linear axis ends at a tick; it begins at 0 at the latest.
    fn scale(
        &self,
        values: impl Iterator<Item = f64>,
        places: (f64, f64),
        rounded: bool,
    ) -> (Vec<f64>, Scale) {
        let ends = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let (ticks, from, to) = match self.is_logarithmic {
            true => logarithmic(ends),
            false => linear((ends.0.min(0.0), ends.1), rounded),
        };
        (ticks, Scale { from, to, is_logarithmic: self.is_logarithmic, places })
    }
}

/// Ticks at 1, 2 or 5 times a power of ten. The axis ends at the last tick where it is to be
/// `rounded`, else at the last value.
fn linear((least, most): (f64, f64), rounded: bool) -> (Vec<f64>, f64, f64) {
    let width = if most > least { most - least } else { most.abs().max(1.0) };
    let power = 10_f64.powf((width / TICKS).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    let step = step.into_iter().find(|step| width / step <= TICKS).unwrap_or(power * 10.0);
    let first = (least / step).ceil();
    let count = if rounded {
        ((most / step).ceil() - first).max(1.0)
    } else {
        (most / step).floor() - first
    };
    let count = crate::numbers::whole(count);
    let ticks: Vec<f64> = (0..=count).map(|at| (first + real(at)) * step).collect();
    let to = ticks.last().copied().filter(|_| rounded).unwrap_or(most);
    let from = if rounded { least.min(first * step) } else { least };
    (ticks, from, to.max(most))
}

/// Ticks at powers of ten, with 2 and 5 times them where they are few.
fn logarithmic((least, most): (f64, f64)) -> (Vec<f64>, f64, f64) {
    let (first, last) = (least.log10().floor(), most.log10().ceil());
    let decades = crate::numbers::whole(last - first).max(1);
    let times: &[f64] = if decades <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = (0..=decades).map(|at| 10_f64.powf(first + real(at)));
    let ticks: Vec<f64> =
        powers.flat_map(|power| times.iter().map(move |time| time * power)).collect();
    let from =
        ticks.iter().copied().filter(|tick| *tick <= least * 1.000_001).fold(ticks[0], f64::max);
    let to = ticks.iter().copied().find(|tick| *tick >= most).unwrap_or(most);
    // Of one value an axis is made, too.
    let to = if to > from { to } else { from * 10.0 };
    let ticks = ticks.into_iter().filter(|tick| (from..=to).contains(tick)).collect();
    (ticks, from, to)
}

/// At most so many points that no extreme is lost.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= 2 * PARTS_MAX {
        return points;
    }
    let part = points.len().div_ceil(PARTS_MAX);
    let extremes = points.chunks(part).flat_map(|chunk| {
        let by_height =
            |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
        let least = chunk.iter().enumerate().min_by(by_height);
        let most = chunk.iter().enumerate().max_by(by_height);
        let mut both: Vec<_> = least.into_iter().chain(most).collect();
        both.sort_by_key(|(at, _)| *at);
        both.into_iter().map(|(_, point)| *point)
    });
    extremes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(is_logarithmic: bool) -> Axis {
        Axis { name: "time, s".to_owned(), is_logarithmic, label: |value| format!("{value}") }
    }

    fn plot(lines: Vec<Line>) -> Plot {
        Plot { title: "a <b>".to_owned(), x: axis(false), y: axis(false), lines }
    }

    fn line(points: Vec<(f64, f64)>) -> Line {
        Line { name: "n & m".to_owned(), colour: 9, points }
    }

    #[test]
    fn ticks_are_round_numbers_that_hold_all_values() {
        assert_eq!(linear((0.0, 9.3), true), (vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0], 0.0, 10.0));
        assert_eq!(linear((0.0, 350.0), true).0, [0.0, 100.0, 200.0, 300.0, 400.0]);
        let (ticks, from, to) = linear((0.5, 9.3), false);
        assert_eq!((ticks, from, to), (vec![2.0, 4.0, 6.0, 8.0], 0.5, 9.3));
        let (ticks, from, to) = linear((0.0, 0.0), true);
        assert!(ticks.len() > 1 && from <= 0.0 && to > 0.0, "{ticks:?}");
        let (ticks, from, to) = logarithmic((3.0, 300.0));
        assert_eq!((from, to), (2.0, 500.0));
        assert_eq!(ticks.len(), 8);
        let (ticks, from, to) = logarithmic((1.0, 2e6));
        assert!((from, to) == (1.0, 1e7) && ticks.len() == 8, "{ticks:?}");
        let (_, from, to) = logarithmic((5.0, 5.0));
        assert!(from <= 5.0 && to > from);
    }

    #[test]
    fn a_picture_has_its_lines_its_axes_and_no_markup_of_others() {
        let svg = plot(vec![line(vec![(0.0, 1.0), (1.0, 3.0)]), line(vec![(1.0, 2.0)])]).svg();
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1, "one value is a point");
        assert!(svg.contains("a &lt;b&gt;") && svg.contains("n &amp; m"), "{svg}");
        assert_eq!(svg.matches("time, s").count(), 2);
        assert_eq!(svg.matches("key c1").count(), 1, "one name and one colour are one key");
        // The greatest value stands at the top, the least x at the left.
        assert!(svg.contains("points=\"78.0,") && svg.contains("842.0,14.0\""), "{svg}");
    }

    #[test]
    fn what_is_no_number_is_left_out_and_nothing_is_said() {
        let svg = plot(vec![line(vec![(f64::NAN, 1.0), (1.0, f64::INFINITY)])]).svg();
        assert_eq!(svg, "<p class=\"none\">a &lt;b&gt;: nothing to show.</p>\n");
        let logarithmic = Plot { y: axis(true), ..plot(vec![line(vec![(0.0, 0.0), (1.0, 5.0)])]) };
        assert!(!logarithmic.svg().contains("NaN"));
    }

    #[test]
    fn many_points_become_few_and_keep_their_extremes() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|at| (f64::from(at), 1.0)).collect();
        points[77_777].1 = 9.0;
        points[5].1 = -9.0;
        let few = thinned(points);
        assert!(few.len() <= 2 * PARTS_MAX);
        assert!(few.contains(&(77_777.0, 9.0)) && few.contains(&(5.0, -9.0)));
        assert!(few.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }
}
