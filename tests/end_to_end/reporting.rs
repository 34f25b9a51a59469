//! What people look at: the report in a browser, the card, and what is said while work goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{limbeck, project, run, succeed, text};

/// A browser, if there is one.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    named.into_iter().chain(found).find(|path| path.is_file())
}

/// Shows the page in a window within a page of its own, and says what a person would stumble over: a page that scrolls
/// sideways, letters outside of their drawing, letters on letters.
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
      if (box.left < around.left - .5 || box.right > around.right + .5 || box.top < around.top - .5 || box.bottom > around.bottom + .5)
        found.cut.push(title + ": " + name);
      for (const [other, beside] of texts.slice(at + 1)) {
        const wide = Math.min(box.right, beside.right) - Math.max(box.left, beside.left);
        const high = Math.min(box.bottom, beside.bottom) - Math.max(box.top, beside.top);
        // Boxes of letters are higher than letters: a third of a line is nothing seen.
        if (wide > 2 && high > Math.min(box.height, beside.height) / 3) found.over.push(title + ": " + name + " / " + other);
      }
    });
  }
  document.body.innerHTML = "<pre>" + JSON.stringify(found).replaceAll("&", "&amp;").replaceAll("<", "&lt;") + "</pre>";
};
</script>"#;

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
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// The page alone: no word on the console, and nothing asked of any network.
fn asks_for_nothing(browser: &Path, folder: &Path, page: &Path) {
    let log = folder.join("net.json");
    let (_, stderr) = browse(browser, folder, page, &[&format!("--log-net-log={}", log.display())]);
    let said: Vec<&str> = stderr.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(said.is_empty(), "{said:?}");
    let log = text(&std::fs::read(&log).unwrap());
    // What the page asked for names the page as its beginning; the browser's own errands don't.
    let asked: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"url\":\"http") && line.contains("\"initiator\":\"file"))
        .chain(log.lines().filter(|line| line.contains("\"url\":\"http") && line.contains("\"initiator\":\"null")))
        .collect();
    assert!(asked.is_empty(), "{asked:?}");
    assert!(log.contains("constants"), "the browser kept no log");
}

fn looks_right(browser: &Path, folder: &Path, page: &str, width: usize) {
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

#[test]
fn the_report_is_seen_whole_in_a_browser_and_asks_for_nothing() {
    let (_keep, folder) = project(1500);
    succeed(&folder, &["run", "tiny.toml"]);
    succeed(&folder, &["run", "tiny.toml", "--set", "name=other", "--set", "distil.epochs=1"]);
    let one = std::fs::read_to_string(folder.join("runs/tiny/report.html")).unwrap();
    let said = succeed(&folder, &["report", "runs/tiny"]);
    assert!(said.contains("shared space") && said.contains("distil: held-out cosine"), "{said}");
    assert!(std::fs::read_to_string(folder.join("runs/tiny/report.html")).unwrap() == one, "other bytes");
    succeed(&folder, &["report", "runs/tiny", "runs/other", "--to", "both.html"]);
    let both = std::fs::read_to_string(folder.join("both.html")).unwrap();
    assert!(both.contains("tiny: student") && both.contains("other: student"));
    assert!(both.contains("<th scope=\"row\">distil.epochs</th>"), "what differs is not there");

    let Some(browser) = chromium() else {
        eprintln!("skipped: there is no Chromium here");
        return;
    };
    for (name, page) in [("runs/tiny/report.html", &one), ("both.html", &both)] {
        asks_for_nothing(&browser, &folder, &folder.join(name));
        for width in [390, 1280] {
            looks_right(&browser, &folder, page, width);
        }
    }
}

#[test]
fn a_report_of_no_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let stderr = super::support::fail(folder.path(), &["report", "."]);
    assert!(stderr.contains("summary.json") && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn the_card_stands_in_the_students_folder_with_licences_that_are_known() {
    let (_keep, folder) = project(800);
    let recipe = std::fs::read_to_string(folder.join("tiny.toml")).unwrap();
    let card = "[card]\nlicense = \"mit\"\nlanguage = [\"en\"]\n[card.licenses]\n\"text.txt\" = \"cc0-1.0\"\n";
    std::fs::write(folder.join("tiny.toml"), recipe + card).unwrap();
    succeed(&folder, &["run", "tiny.toml"]);
    let card = std::fs::read_to_string(folder.join("runs/tiny/student/README.md")).unwrap();
    for line in [
        "---\nlanguage:\n- \"en\"\nlicense: \"mit\"\n",
        "- text: `text.txt` (cc0-1.0)",
        "- teacher: `teacher` (licence unknown)",
        "| static, trained | baseline |",
        "    - type: cosine_spearman",
        "trust_remote_code=True",
    ] {
        assert!(card.contains(line), "{line} is not in\n{card}");
    }
    assert!(!card.contains("base_model"), "a folder on this machine is no model of the hub: {card}");
}

#[test]
fn a_students_queries_are_measured_in_its_teachers_index() {
    let (_keep, folder) = project(1500);
    succeed(&folder, &["run", "tiny.toml", "--to", "export-student"]);
    let arguments = ["evaluate", "--model", "runs/tiny/student", "teacher", "--documents", "teacher", "--json"];
    let lines = succeed(&folder, &[&arguments[..], &["--input", "text.txt"]].concat());
    let found: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let share = |at: usize| found[at]["one_space"]["neighbours_at_10"].as_f64().unwrap();
    assert_eq!(found[0]["one_space"]["texts"], 1500);
    assert!(share(0) > 0.05 && share(0) < 0.99, "{found:?}");
    assert!(share(1) > 0.999, "a teacher finds its own: {found:?}");
    assert!(found[0].get("scores").is_none());
    let both = succeed(&folder, &[&arguments[..6], &["--sts", "pairs.tsv"]].concat());
    assert!(
        both.contains("average") && both.contains("shared space") && both.contains("documents by teacher"),
        "{both}"
    );
    assert_eq!(run(&folder, &["evaluate", "--model", "teacher", "--documents", "teacher"]).status.code(), Some(2));
}

#[test]
fn progress_is_json_where_that_is_asked_for_a_line_a_stage_else_and_nothing_where_quiet() {
    let (_keep, folder) = project(300);
    let encode = ["encode", "--model", "teacher", "--input", "text.txt", "--to", "v.npy"];
    let events = |arguments: &[&str], code| -> Vec<Value> {
        let output = run(&folder, arguments);
        assert_eq!(output.status.code(), Some(code));
        text(&output.stderr).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let told = events(&[&encode[..], &["--log", "json"]].concat(), 0);
    let of = |event: &str| told.iter().find(|line| line["event"] == event && line["stage"] == "encoding").unwrap();
    assert_eq!(of("begin")["unit"], "texts");
    assert_eq!(of("end")["done"], 300);
    assert!(of("end")["rate"].as_f64().unwrap() > 0.0);
    let told = events(&["--log", "json", "report", "none"], 1);
    let error = told.last().unwrap();
    assert_eq!(error["event"], "error");
    assert!(error["message"].as_str().unwrap().contains("none") && error["hint"].is_string(), "{error}");

    let lines = text(&run(&folder, &encode).stderr);
    assert!(lines.lines().any(|line| line.starts_with("encoding: 300 texts in ")), "{lines}");
    let quiet = run(&folder, &[&encode[..], &["--quiet"]].concat());
    assert!(quiet.status.success() && quiet.stderr.is_empty(), "{}", text(&quiet.stderr));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_what_it_kept_and_how_to_go_on() {
    let (_keep, folder) = project(1500);
    succeed(&folder, &["run", "tiny.toml", "--to", "embed"]);
    let log = folder.join("runs/tiny/metrics.jsonl");
    let mut child = limbeck()
        .current_dir(&folder)
        .args(["run", "tiny.toml", "--set", "distil.epochs=2000", "--from", "distil"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !std::fs::metadata(&log).is_ok_and(|log| log.len() > 2_000) {
        assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "it does not train");
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("hint: kept are fetch, text, export-teacher, embed, and of distil the last checkpoint; "),
        "{stderr}"
    );
    let next = stderr.lines().find(|line| line.contains("go on with: ")).unwrap_or_else(|| panic!("{stderr}"));
    // --from would throw the checkpoint away.
    assert!(next.ends_with("run tiny.toml --set distil.epochs=2000"), "{next}");
    let inspected = succeed(&folder, &["inspect", "runs/tiny/student"]);
    assert!(inspected.starts_with("training, not finished\n  after step  "), "{inspected}");
}

#[test]
fn the_program_completes_itself_has_man_pages_and_says_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let say = |arguments: &[&str]| succeed(folder.path(), arguments);
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef limbeck"), ("fish", "complete -c limbeck")] {
        let script = say(&["completions", shell]);
        assert!(script.contains(word) && script.contains("export-teacher"), "{script}");
    }
    assert!(say(&["man"]).starts_with(".ie") && say(&["man", "run"]).contains("dry\\-run"));
    say(&["man", "--to", "man1"]);
    let page = std::fs::read_to_string(folder.path().join("man1/limbeck-evaluate.1")).unwrap();
    assert!(page.contains(".TH limbeck-evaluate 1"), "{page}");
    let version = say(&["--version"]);
    assert!(version.starts_with(concat!("limbeck ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    assert!(version.contains("commit") && version.contains("\nfeatures: "), "{version}");
    assert_eq!(say(&["-V"]).lines().count(), 1);
    assert_eq!(run(folder.path(), &["completions", "cmd.exe"]).status.code(), Some(2));
}
