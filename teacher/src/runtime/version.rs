//! The version of a loaded ONNX Runtime, which `ort` doesn't report.
#![expect(unsafe_code, reason = "the version is behind a function pointer of the C library")]

use std::ffi::CStr;
use std::path::Path;

use ort::sys::OrtApiBase;

/// The version string of the library at `path`, which `ort` has loaded and checked; empty if it reports none.
pub(super) fn of(path: &Path) -> String {
    // SAFETY: the library is loaded already, so this only takes another handle to it and runs no initialiser. `ort` has
    // found `OrtGetApiBase` in it and read the version through it, so it has this signature and its result isn't null.
    // The version is a static string of the library, which is never unloaded, and is copied here.
    unsafe {
        let Ok(library) = libloading::Library::new(path) else { return String::new() };
        let Ok(base) = library.get::<unsafe extern "C" fn() -> *const OrtApiBase>(b"OrtGetApiBase\0") else {
            return String::new();
        };
        let version = ((*base()).GetVersionString)();
        CStr::from_ptr(version).to_string_lossy().into_owned()
    }
}
