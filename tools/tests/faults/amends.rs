//! COLD: quotes that move by one request, with the real program on each product.

use std::cell::Cell;
use std::fs;

use crate::rig::{Exchange, Setup, number, whole};

#[test]
fn quotes_that_move_by_one_request_end_with_nothing_open_and_nothing_unknown() {
    let exchanges = [Exchange::start(""), Exchange::spot("")];
    let setups = exchanges
        .each_ref()
        .map(|exchange| Setup::on(exchange).replace("run.toml", "[engine]", "[engine]\nrequote = \"amend\""));
    let runs = setups.each_ref().map(Setup::start_live);
    for ((mut run, setup), request) in runs.into_iter().zip(&setups).zip(["amend", "replace"]) {
        // The journal tells when the market has moved far enough.
        let told = format!("\"event\":\"{request}\"");
        let looked = Cell::new(0);
        run.until("a quote that moved", |lines| {
            let grown = lines.len() > looked.replace(lines.len());
            grown
                && lines.len() >= 4
                && setup.spinbook(&["journal", "state/journal/live", "--json"]).out.contains(&told)
        });
        let report = whole(&run.interrupted());
        assert!(number(&report, "/orders/amended") > 0, "{report}");
        for none in ["/orders/unknown", "/orders/open_at_exit", "/orders/open_at_venue"] {
            assert_eq!(number(&report, none), 0, "{none} in {report}");
        }
        // Each was written down before it left.
        let path = setup.path(report["order_log"]["path"].as_str().expect("a path"));
        assert!(fs::metadata(&path).is_ok_and(|file| file.len() > 0));
        let read = setup.spinbook(&["journal", path.to_str().expect("UTF-8"), "--json"]);
        let read = read.says(0, &[]);
        let written = read.out.lines().filter(|line| line.contains(&format!("\"event\":\"{request}\""))).count();
        assert!(written as u64 >= number(&report, "/orders/amended"), "{written} written in {report}");
    }
}
