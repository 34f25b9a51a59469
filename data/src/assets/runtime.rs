//! Where the `onnxruntime` wheel has its library, by operating system and processor.

use std::env::consts::{ARCH, OS};

use super::{AssetError, Uri};
use crate::error::Result;

/// The URI of the ONNX Runtime library of `version` for this machine. Whether that version has a wheel for this machine
/// turns out when it is fetched.
pub fn runtime_uri(version: &str) -> Result<Uri> {
    let member = member(OS, ARCH, version).ok_or(AssetError::NoRuntime { system: OS, processor: ARCH })?;
    format!("pypi:onnxruntime=={version}/onnxruntime/capi/{member}").parse()
}

/// The name of the library, as in the wheels of onnxruntime 1.32.0.
fn member(system: &str, processor: &str, version: &str) -> Option<String> {
    match (system, processor) {
        ("linux", "x86_64" | "aarch64") => Some(format!("libonnxruntime.so.{version}")),
        ("macos", "x86_64" | "aarch64") => Some(format!("libonnxruntime.{version}.dylib")),
        ("windows", "x86_64" | "aarch64") => Some("onnxruntime.dll".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_has_its_library() {
        assert_eq!(member("linux", "x86_64", "1.32.0").unwrap(), "libonnxruntime.so.1.32.0");
        assert_eq!(member("macos", "aarch64", "1.32.0").unwrap(), "libonnxruntime.1.32.0.dylib");
        assert_eq!(member("windows", "x86_64", "1.32.0").unwrap(), "onnxruntime.dll");
        assert_eq!(member("linux", "riscv64", "1.32.0"), None);
    }

    #[test]
    fn a_version_that_is_a_path_is_refused() {
        assert!(runtime_uri("1.32.0/../..").is_err());
    }
}
