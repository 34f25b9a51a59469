//! Libraries that can't be loaded. This process loads no library.

use std::fs;
use std::path::Path;

use limbeck_teacher::{Error, OnnxDevice, Runtime};

#[test]
fn a_missing_or_broken_library_is_named_with_a_hint() {
    let missing = Runtime::load(Path::new("/no/such/libonnxruntime.so")).unwrap_err();
    assert!(matches!(missing, Error::LibraryMissing { .. }), "{missing}");
    assert!(missing.to_string().contains("/no/such/libonnxruntime.so") && missing.hint().is_some());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libonnxruntime.so");
    fs::write(&path, "no library").unwrap();
    // Twice: the first failure must not persist.
    for _ in 0..2 {
        let broken = Runtime::load(&path).unwrap_err();
        assert!(matches!(broken, Error::LibraryBroken { .. }), "{broken}");
        assert!(broken.to_string().contains("libonnxruntime.so") && broken.hint().is_some());
    }
    assert!(Runtime::loaded().is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_that_is_not_onnx_runtime_is_named() {
    let libc = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/usr/lib/libm.so.6"];
    let Some(path) = libc.iter().map(Path::new).find(|path| path.exists()) else { return };
    let error = Runtime::load(path).unwrap_err();
    assert!(matches!(error, Error::LibraryBroken { .. }), "{error}");
}

#[test]
fn devices_are_known_by_name() {
    assert_eq!("cpu".parse::<OnnxDevice>().unwrap(), OnnxDevice::Cpu);
    assert_eq!("cuda".parse::<OnnxDevice>().unwrap(), OnnxDevice::Cuda(0));
    assert_eq!("cuda:1".parse::<OnnxDevice>().unwrap(), OnnxDevice::Cuda(1));
    let error = "gpu".parse::<OnnxDevice>().unwrap_err();
    assert!(error.to_string().contains("gpu") && error.hint().unwrap().contains("cuda"));
}
