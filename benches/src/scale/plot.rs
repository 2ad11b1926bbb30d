//! A plot with logarithmic axes.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

const SIZE: (u32, u32) = (720, 420);
const COLORS: [RGBColor; 3] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 101, 24),
    RGBColor(44, 140, 60),
];

/// Curves that share their axes.
pub(super) struct Plot {
    /// Of the file, without its ending.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) across: &'static str,
    pub(super) up: &'static str,
    pub(super) curves: Vec<(&'static str, Vec<(f64, f64)>)>,
}

impl Plot {
    /// Prints the points.
    pub(super) fn print(&self) {
        println!("{}: {} by {}", self.title, self.up, self.across);
        for (name, points) in &self.curves {
            let points: Vec<_> = points.iter().map(|(x, y)| format!("{x}: {y:.2}")).collect();
            println!("  {name:<14} {}", points.join("  "));
        }
    }

    /// Writes the plot into `folder`, which is made if it is not there.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.svg", self.name));
        let canvas = SVGBackend::new(&path, SIZE).into_drawing_area();
        canvas.fill(&WHITE)?;
        let points = || self.curves.iter().flat_map(|(_, points)| points);
        let span = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::MAX, f64::MIN), |(least, most), value| {
                (least.min(value), most.max(value))
            })
        };
        let (left, right) = span(&mut points().map(|(x, _)| *x));
        let (low, high) = span(&mut points().map(|(_, y)| *y));
        // Whole decades up, and two at least, so that a flat curve looks flat.
        let decade = |value: f64, round: fn(f64) -> f64| 10_f64.powf(round(value.log10()));
        let (low, high) = (decade(low, f64::floor), decade(high, f64::ceil));
        let mut chart = ChartBuilder::on(&canvas)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .margin_right(36)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(
                (left..right).log_scale(),
                (low..high.max(low * 100.0)).log_scale(),
            )?;
        let number = |value: &f64| {
            if *value < 1.0 {
                format!("{value:.2}")
            } else {
                format!("{value:.0}")
            }
        };
        chart
            .configure_mesh()
            .x_desc(self.across)
            .y_desc(self.up)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .light_line_style(RGBColor(240, 240, 240))
            .draw()?;
        for ((name, points), color) in self.curves.iter().zip(COLORS) {
            chart
                .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
                .label(*name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
                });
            chart.draw_series(
                points
                    .iter()
                    .map(|&point| Circle::new(point, 3, color.filled())),
            )?;
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        canvas.present()?;
        Ok(())
    }
}
