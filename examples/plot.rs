//! Draws what the benchmark measured: time and memory against the number of members, beside the ideal time.
//!
//!     for n in 100000 250000 500000 1000000 2000000; do
//!         target/release/examples/bench --json --latency-ms 200 --members $n
//!     done | cargo run -p sync-examples --example plot > sync-core/src/docs/measurements.svg
//!
//! Without input it draws two made-up runs, which is how it is tested.

#![allow(clippy::print_stdout, reason = "the drawing goes to standard output")]

use std::fmt::Write;
use std::io::{IsTerminal, Read};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// One run of the benchmark.
struct Run {
    members: f64,
    seconds: f64,
    ideal: f64,
    megabytes: f64,
}

fn main() -> anyhow::Result<()> {
    let mut text = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_string(&mut text)?;
    }
    if text.trim().is_empty() {
        text = [(1000, 3.0, 50), (2000, 5.0, 60)]
            .map(|(members, seconds, memory)| {
                json!({"run": "full", "members": members, "seconds": seconds, "latency_ms": 200,
                       "peak_memory_mb": memory})
                .to_string()
            })
            .join("\n");
    }
    let runs = text
        .lines()
        .map(|line| serde_json::from_str(line).context("a line of the benchmark's --json output"))
        .filter(|run| {
            run.as_ref()
                .map_or(true, |run: &Value| run["run"] == "full")
        })
        .map(|run| read(&run?))
        .collect::<anyhow::Result<Vec<Run>>>()?;
    ensure!(runs.len() > 1, "a line needs two runs at least");
    println!("{}", draw(&runs));
    Ok(())
}

fn read(run: &Value) -> anyhow::Result<Run> {
    let number = |name: &str| {
        run[name]
            .as_f64()
            .with_context(|| format!("{name} is missing"))
    };
    let members = number("members")?;
    Ok(Run {
        members,
        seconds: number("seconds")?,
        ideal: (members / 1000.0).ceil() * number("latency_ms")? / 1000.0 / 10.0,
        megabytes: number("peak_memory_mb")?,
    })
}

const WIDTH: f64 = 330.0;
const HEIGHT: f64 = 200.0;

fn draw(runs: &[Run]) -> String {
    // No blank lines: they would end the drawing where it stands inside Markdown.
    let mut svg = String::from(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 290" width="860" font-family="sans-serif" font-size="12" fill="currentColor">"#,
    );
    let times: Vec<(f64, f64)> = runs.iter().map(|run| (run.members, run.seconds)).collect();
    let ideal: Vec<(f64, f64)> = runs.iter().map(|run| (run.members, run.ideal)).collect();
    let memory: Vec<(f64, f64)> = runs
        .iter()
        .map(|run| (run.members, run.megabytes))
        .collect();
    panel(
        &mut svg,
        60.0,
        "seconds",
        &[("taken", "#2563eb", &times), ("ideal", "#9ca3af", &ideal)],
    );
    panel(
        &mut svg,
        490.0,
        "peak memory, MB",
        &[("importer", "#dc2626", &memory)],
    );
    svg.push_str("\n</svg>");
    svg
}

type Line<'a> = (&'a str, &'a str, &'a [(f64, f64)]);

fn panel(svg: &mut String, left: f64, title: &str, lines: &[Line<'_>]) {
    let points = || lines.iter().flat_map(|(_, _, points)| points.iter());
    let most_members = points().map(|point| point.0).fold(0.0, f64::max);
    let most = points().map(|point| point.1).fold(0.0, f64::max) * 1.1;
    let x = |members: f64| left + members / most_members * WIDTH;
    let y = |value: f64| 30.0 + HEIGHT - value / most * HEIGHT;
    let mut add = |text: std::fmt::Arguments<'_>| {
        // Writing into a string cannot fail.
        let _ = svg.write_fmt(text);
    };
    add(format_args!(
        "\n<text x=\"{left}\" y=\"18\" font-weight=\"bold\">{title}</text>"
    ));
    let (bottom, right) = (30.0 + HEIGHT, left + WIDTH);
    add(format_args!(
        "\n<path d=\"M{left} 30V{bottom}H{right}\" fill=\"none\" stroke=\"currentColor\"/>"
    ));
    for step in 0..=4 {
        let value = most / 1.1 * f64::from(step) / 4.0;
        let members = most_members * f64::from(step) / 4.0;
        add(format_args!(
            "\n<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
            left - 6.0,
            y(value) + 4.0
        ));
        add(format_args!(
            "\n<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{:.1}</text>",
            x(members),
            bottom + 16.0,
            members / 1e6
        ));
    }
    add(format_args!(
        "\n<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">members, millions</text>",
        left + WIDTH / 2.0,
        bottom + 36.0
    ));
    for (place, (name, colour, points)) in (0_u8..).zip(lines) {
        let path: Vec<String> = points
            .iter()
            .map(|&(members, value)| format!("{:.1} {:.1}", x(members), y(value)))
            .collect();
        add(format_args!(
            "\n<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join("L")
        ));
        for &(members, value) in *points {
            add(format_args!(
                "\n<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(members),
                y(value)
            ));
        }
        add(format_args!(
            "\n<text x=\"{}\" y=\"{}\" fill=\"{colour}\">{name}</text>",
            left + 14.0,
            46.0 + 16.0 * f64::from(place)
        ));
    }
}
