//! A metric along a field as a picture.

use std::fmt::Write;

use super::Metric;
use super::along::{Along, Line};

/// Colours that most people can distinguish (Okabe and Ito, 2008).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a00"];
/// Dash patterns for more lines than colours.
const DASHES: [&str; 3] = ["none", "6 3", "2 3"];
const WIDTH: f64 = 860.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 20.0;
const PLOT: (f64, f64) = (500.0, 340.0);
/// Space between two lines of the legend.
const LEGEND: f64 = 20.0;

/// Draws the curves as an SVG document. Positive numbers over more than a factor of twenty are on a logarithmic axis,
/// texts at equal distances.
#[must_use]
pub fn svg(along: &Along) -> String {
    let places = places(along);
    let scale = Scale::of(along);
    #[expect(clippy::cast_precision_loss, reason = "lines are few")]
    let height = (TOP + PLOT.1 + 56.0).max(TOP + LEGEND * (along.lines.len() as f64 + 1.0));
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
    );
    axes(&mut svg, along, &places, &scale);
    for (index, line) in along.lines.iter().enumerate() {
        draw(&mut svg, index, line, &places, &scale);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The position of each value on the axis.
fn places(along: &Along) -> Vec<f64> {
    let numbers: Option<Vec<f64>> = along.values.iter().map(|tick| tick.number).collect();
    let count = along.values.len();
    #[expect(clippy::cast_precision_loss, reason = "values are few")]
    let even = || (0..count).map(|at| (at as f64 + 0.5) / count.max(1) as f64).collect();
    let Some(numbers) = numbers else { return even() };
    let (low, high) = range(numbers.iter().copied());
    let logarithmic = low > 0.0 && high / low > 20.0;
    let along_axis = |x: f64| if logarithmic { x.ln() } else { x };
    let (low, high) = (along_axis(low), along_axis(high));
    if !(low.is_finite() && high.is_finite()) || low >= high {
        return even();
    }
    numbers.into_iter().map(|x| 0.04 + 0.92 * (along_axis(x) - low) / (high - low)).collect()
}

fn range(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
}

/// The vertical axis.
struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    fn of(along: &Along) -> Self {
        let means = along.lines.iter().flat_map(|line| &line.points).flatten().map(|point| point.mean);
        let (low, high) = range(means);
        if !(low.is_finite() && high.is_finite()) {
            return Self { low: 0.0, high: 1.0, step: 0.2 };
        }
        let spread = (high - low).max(high.abs() * 1e-3).max(1e-6);
        let size = 10_f64.powf((spread / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * size).into_iter().find(|step| spread / step <= 6.0);
        let step = step.unwrap_or(size);
        Self { low: (low / step).floor() * step, high: (high / step + 1e-9).ceil() * step, step }
    }

    fn y(&self, value: f64) -> f64 {
        TOP + PLOT.1 * (1.0 - (value - self.low) / (self.high - self.low).max(f64::MIN_POSITIVE))
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..20).map(|at| self.low + f64::from(at) * self.step).take_while(|tick| *tick <= self.high + self.step * 1e-6)
    }
}

fn x(place: f64) -> f64 {
    LEFT + PLOT.0 * place
}

fn axes(svg: &mut String, along: &Along, places: &[f64], scale: &Scale) {
    for tick in scale.ticks() {
        let y = scale.y(tick);
        let said = match along.metric {
            Metric::Accuracy => format!("{:.0} %", tick * 100.0),
            Metric::EvalLoss => format!("{tick:.2}"),
        };
        let (end, before) = (LEFT + PLOT.0, LEFT - 8.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{end}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{before}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444444\">{said}</text>",
            y + 4.0
        );
    }
    let bottom = TOP + PLOT.1;
    for (tick, place) in along.values.iter().zip(places) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#444444\">{}</text>",
            x(*place),
            bottom + 18.0,
            safe(&tick.text)
        );
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{LEFT} {TOP}V{bottom}H{}\" stroke=\"#444444\" fill=\"none\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#222222\">{}</text>\n\
         <text x=\"{}\" y=\"{}\" fill=\"#222222\" font-weight=\"bold\">best {}</text>",
        LEFT + PLOT.0,
        LEFT + PLOT.0 / 2.0,
        bottom + 40.0,
        safe(&along.field),
        LEFT + PLOT.0 + 18.0,
        TOP + 4.0,
        along.metric.name()
    );
}

fn draw(svg: &mut String, index: usize, line: &Line, places: &[f64], scale: &Scale) {
    let colour = COLOURS[index % COLOURS.len()];
    let dash = DASHES[index / COLOURS.len() % DASHES.len()];
    let points: Vec<(f64, f64)> = (line.points.iter().zip(places))
        .filter_map(|(point, place)| Some((x(*place), scale.y(point.as_ref()?.mean))))
        .collect();
    let way: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let style = format!("stroke=\"{colour}\" stroke-width=\"1.8\" stroke-dasharray=\"{dash}\" fill=\"none\"");
    if way.len() > 1 {
        let _ = writeln!(svg, "<path d=\"M{}\" {style}/>", way.join("L"));
    }
    for (x, y) in &points {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    if let Some((point, place)) = line.best.and_then(|best| Some((line.points[best].as_ref()?, places.get(best)?))) {
        let (x, y) = (x(*place), scale.y(point.mean));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" stroke=\"{colour}\" fill=\"none\"/>");
    }
    #[expect(clippy::cast_precision_loss, reason = "lines are few")]
    let y = TOP + LEGEND * (index as f64 + 1.0);
    let (from, to, said) = (LEFT + PLOT.0 + 18.0, LEFT + PLOT.0 + 46.0, LEFT + PLOT.0 + 54.0);
    let _ = writeln!(
        svg,
        "<path d=\"M{from} {y}H{to}\" {style}/>\n<text x=\"{said}\" y=\"{}\" fill=\"#222222\">{}</text>",
        y + 4.0,
        safe(&line.setting)
    );
}

/// A text escaped for XML.
fn safe(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::along::tests::rates;
    use super::super::tests::subject;
    use super::*;

    #[test]
    fn rates_stand_on_a_logarithmic_axis() {
        let along = Along::of(&rates(), "optimizer.learning_rate").unwrap();
        let places = places(&along);
        assert!((places[1] - 0.5).abs() < 1e-9 && places[0] < 0.1 && places[2] > 0.9, "{places:?}");
        let picture = svg(&along);
        // Four points of two lines, and a ring around the best of each.
        assert_eq!((picture.matches("r=\"3\"").count(), picture.matches("r=\"6\"").count()), (4, 2));
        assert!(picture.contains(">sparta<") && picture.contains(">0.01<") && picture.contains("40 %"), "{picture}");
    }

    #[test]
    fn texts_and_single_points_are_drawn_and_nothing_breaks_out() {
        let runs = [subject("a", &["data.label=<b>&\"", "method.kind=head"]), subject("b", &["data.label=x"])];
        let picture = svg(&Along::of(&runs, "data.label").unwrap());
        assert!(picture.contains("&lt;b&gt;&amp;&quot;") && !picture.contains("<b>"), "{picture}");
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    }
}
