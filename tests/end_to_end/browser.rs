//! The report in a browser, where there is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::shared::FINISHED;
use crate::support::Project;

/// The browser that CHROMIUM names, or else the first of the usual names on the path; says so where there is none.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let browser = named.into_iter().chain(found).find(|path| path.is_file());
    if browser.is_none() {
        eprintln!("skipped: Chromium is missing");
    }
    browser
}

/// Shows the page in a frame and counts what a reader would stumble over: a page that scrolls sideways, text outside
/// of its figure, text on text.
const HARNESS: &str = r#"<!doctype html><meta charset="utf-8"><body>
<iframe id="frame" style="width:WIDTHpx;height:900px;border:0" srcdoc="PAGE"></iframe>
<script>
frame.onload = () => {
  const page = frame.contentDocument, found = {scrolls: false, cut: [], over: [], figures: 0};
  const root = page.documentElement;
  found.scrolls = root.scrollWidth > root.clientWidth;
  for (const svg of page.querySelectorAll("svg")) {
    found.figures += 1;
    const around = svg.getBoundingClientRect(), title = svg.querySelector("title").textContent;
    const texts = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([name, box], at) => {
      if (box.left < around.left - .5 || box.right > around.right + .5 ||
          box.top < around.top - .5 || box.bottom > around.bottom + .5)
        found.cut.push(title + ": " + name);
      for (const [other, beside] of texts.slice(at + 1)) {
        const wide = Math.min(box.right, beside.right) - Math.max(box.left, beside.left);
        const high = Math.min(box.bottom, beside.bottom) - Math.max(box.top, beside.top);
        // A box is higher than the letters in it: an overlap of a third of a line is not visible.
        if (wide > 2 && high > Math.min(box.height, beside.height) / 3)
          found.over.push(title + ": " + name + " / " + other);
      }
    });
  }
  document.body.innerHTML = "<pre>" + JSON.stringify(found).replaceAll("&", "&amp;").replaceAll("<", "&lt;") + "</pre>";
};
</script>"#;

/// Opens the page. Returns the document as it is then, and the browser's standard error.
fn browse(browser: &Path, folder: &Path, page: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(arguments)
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// The page writes nothing to the console and asks nothing of any network.
fn assert_self_contained(browser: &Path, folder: &Path, page: &Path) {
    let log = folder.join("net.json");
    let (_, stderr) = browse(browser, folder, page, &[&format!("--log-net-log={}", log.display())]);
    let said: Vec<&str> = stderr.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(said.is_empty(), "{said:?}");
    let log = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    // Requests of the page name the page as their initiator; the browser's own requests don't.
    let asked: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"url\":\"http") && line.contains("\"initiator\":\"file"))
        .chain(log.lines().filter(|line| line.contains("\"url\":\"http") && line.contains("\"initiator\":\"null")))
        .collect();
    assert!(asked.is_empty(), "{asked:?}");
    assert!(log.contains("constants"), "the browser kept no log");
}

/// At this width the page does not scroll sideways, and every figure shows all of its text.
fn assert_readable(browser: &Path, folder: &Path, page: &str, width: usize) {
    let escaped = page.replace('&', "&amp;").replace('"', "&quot;");
    let harness = folder.join("harness.html");
    std::fs::write(&harness, HARNESS.replace("WIDTH", &width.to_string()).replace("PAGE", &escaped)).unwrap();
    let (dom, _) = browse(browser, folder, &harness, &["--window-size=1400,1000"]);
    let found =
        dom.split("<pre>").nth(1).and_then(|rest| rest.split("</pre>").next()).unwrap_or_else(|| panic!("{dom}"));
    let found = found.replace("&lt;", "<").replace("&amp;", "&");
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"));
    assert_eq!(found["scrolls"], false, "at {width}: {found}");
    assert_eq!(found["cut"].as_array().unwrap().len(), 0, "at {width}: {found}");
    assert_eq!(found["over"].as_array().unwrap().len(), 0, "at {width}: {found}");
    assert!(found["figures"].as_u64().unwrap() >= 8, "at {width}: {found}");
}

/// The report of one run, and of two runs.
const REPORTS: [&str; 2] = ["runs/tiny/report.html", "both.html"];

#[test]
fn a_report_asks_nothing_of_any_network() {
    let Some(browser) = chromium() else { return };
    let scratch = Project::empty();
    for name in REPORTS {
        assert_self_contained(&browser, &scratch.path(""), &FINISHED.path(name));
    }
}

#[test]
fn a_report_is_readable_on_a_phone_and_on_a_desk() {
    let Some(browser) = chromium() else { return };
    let scratch = Project::empty();
    for name in REPORTS {
        for width in [390, 1280] {
            assert_readable(&browser, &scratch.path(""), &FINISHED.text(name), width);
        }
    }
}
