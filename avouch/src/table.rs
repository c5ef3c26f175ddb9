//! Columns for a terminal: as wide as their widest cell, numbers to the right.

/// A table that is filled row by row.
#[derive(Debug)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    pub(crate) fn render(&self) -> String {
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| width(&row[column]));
                cells.chain([width(self.heads[column])]).max().unwrap_or(0)
            })
            .collect();
        let numeric: Vec<bool> = (0..self.heads.len())
            .map(|column| {
                let mut cells = self
                    .rows
                    .iter()
                    .map(|row| row[column].as_str())
                    .filter(|cell| *cell != "-");
                let first = cells.next();
                first.is_some_and(is_number) && cells.all(is_number)
            })
            .collect();
        let heads = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let lines = std::iter::once(&heads)
            .chain(&self.rows)
            .map(|row: &Vec<String>| {
                let cells =
                    row.iter()
                        .zip(widths.iter().zip(&numeric))
                        .map(|(cell, (&to, &right))| {
                            let fill = " ".repeat(to - width(cell));
                            if right {
                                format!("{fill}{cell}")
                            } else {
                                format!("{cell}{fill}")
                            }
                        });
                cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty()
        && cell
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b',')
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_right() {
        let mut table = Table::new(&["issuer", "answers", "age"]);
        table.row(["member".into(), "1,024".into(), "3 min".into()]);
        table.row(["řek".into(), "7".into(), "-".into()]);
        assert_eq!(
            table.render(),
            "issuer  answers  age\n\
             member    1,024  3 min\n\
             řek           7  -"
        );
    }

    #[test]
    fn no_rows_leave_the_heads() {
        assert_eq!(Table::new(&["a", "b"]).render(), "a  b");
    }
}
