//! COLD: the tables of the book contests.

use std::fmt::{self, Write};

use crate::measure::BookTable;
use crate::peer_book::PeerBookTable;
use crate::report::{cell, number};

/// Ours, a sorted map and the bare store, in this build.
///
/// # Errors
/// The writer's.
pub fn write_book(out: &mut String, tables: &[BookTable]) -> fmt::Result {
    let Some(first) = tables.first() else {
        return writeln!(out, "Not measured.");
    };
    let names: Vec<&str> = first.times.iter().map(|time| time.name.as_str()).collect();
    writeln!(out, "| recording | messages | levels | {} | our book, KiB |", names.join(" | "))?;
    writeln!(out, "|---|---|---|{}---|", "---|".repeat(names.len()))?;
    for table in tables {
        let cells: Vec<String> = table.times.iter().map(cell).collect();
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            table.what,
            number(table.messages as f64),
            number(table.levels as f64),
            cells.join(" | "),
            number((table.memory_bytes / 1024) as f64)
        )?;
    }
    writeln!(
        out,
        "\nBoth books read their best bid and ask after each message and hold the same levels at the end; the bare \
         store only writes each quantity into an array of the window's size."
    )
}

/// Other people's books in the peers' build, with what each differs in.
///
/// # Errors
/// The writer's.
pub fn write_peer_books(out: &mut String, tables: &[PeerBookTable]) -> fmt::Result {
    if tables.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nOther people's books in the peers' own build (`bench/peers`: compiled for this processor, link-time \
         optimisation, no overflow checks, ours too). Every level is in the library's own types before the clock \
         starts, and best bid and ask, price and quantity, are read after each message. Each book was first compared \
         with the truth (a sorted map): best prices and quantities after every message, all levels at the end.\n"
    )?;
    for table in tables {
        writeln!(
            out,
            "**{}**: {} messages, {} changed levels, {} levels at the end\n",
            table.what,
            number(table.messages as f64),
            number(table.levels as f64),
            number(table.levels_end as f64)
        )?;
        writeln!(out, "| book | set-up | ns a level | ours is faster | levels at the end | differs from the truth |")?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        let held = number(table.levels_end as f64);
        writeln!(out, "| {} | | {} | | {held} | no |", table.ours.name, cell(&table.ours))?;
        for row in &table.peers {
            let about = &row.about;
            let memory =
                about.memory_bytes.map_or(String::new(), |bytes| format!(" ({} KiB)", number((bytes / 1024) as f64)));
            let differs = match (row.difference.is_none(), about.dropped) {
                (true, _) => "no".to_owned(),
                (false, 0) => row.difference.text(),
                (false, dropped) => {
                    format!(
                        "{}; it dropped {} changes outside its range",
                        row.difference.text(),
                        number(dropped as f64)
                    )
                }
            };
            writeln!(
                out,
                "| {} {} | {}{memory} | {} | {:.2}× | {} | {differs} |",
                about.peer,
                about.version,
                about.setup,
                cell(&row.time),
                table.ratio(row),
                number(row.levels_end as f64),
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
