//! Gives the binary a run path to libtorch, so that it starts from any folder.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Ok(libraries) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libraries}");
        println!("cargo:rustc-env=SPARTUI_LIBTORCH_LIB={libraries}");
    }
}
