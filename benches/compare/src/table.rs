//! Tables in Markdown, and the median.

use std::fmt::Write as _;

/// A table that grows row by row.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self {
            head: head.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// With columns aligned, so that it can be read as text too.
    pub(crate) fn markdown(&self) -> String {
        let width = |column: usize| {
            let all = std::iter::once(&self.head).chain(&self.rows);
            all.map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        let mut text = line(&self.head, &widths);
        let rules: Vec<_> = widths
            .iter()
            .enumerate()
            .map(|(column, &width)| match column {
                0 => "-".repeat(width),
                _ => "-".repeat(width.max(2) - 1) + ":",
            })
            .collect();
        text += &line(&rules, &widths);
        for row in &self.rows {
            text += &line(row, &widths);
        }
        text
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::from("|");
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        let filled = match column {
            0 => write!(text, " {cell:<width$} |"),
            _ => write!(text, " {cell:>width$} |"),
        };
        // Unwrap safety: a String takes everything.
        filled.unwrap();
    }
    text + "\n"
}

/// The middle of some values; 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(&values.into_iter().collect::<Vec<_>>(), 0.5)
}

/// The value that a share (0 to 1) of all values does not exceed; 0 of none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    // Lossless: few values.
    let place = (values.len() as f64 * share).ceil() as usize;
    match values.get(place.saturating_sub(1)) {
        Some(value) => *value,
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.0);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.99), 4.0);
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn aligned() {
        let mut table = Table::new(["server", "µs"]);
        table.row(["Avouch".to_owned(), "6.1".to_owned()]);
        assert_eq!(
            table.markdown(),
            "| server |  µs |\n| ------ | --: |\n| Avouch | 6.1 |\n"
        );
    }
}
