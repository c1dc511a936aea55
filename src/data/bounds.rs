//! Bounds on templates: a model's files and a recipe may hold any.

use minijinja::{Environment, Error, ErrorKind};

/// Longest template in bytes; those that models have are below 30,000.
const LONGEST: usize = 1 << 18;
/// Instructions for one text: about a second. A conversation of a thousand messages takes a hundredth of that.
const FUEL: u64 = 20_000_000;
/// Stack for each byte of a template: the library calls itself for each operator in a row and each `elif`, up to 500
/// bytes for one that is written with one.
const STACK: usize = 4096;

/// Adds a template to its environment, whose templates can no longer take for ever.
pub fn add(environment: &mut Environment<'static>, name: &'static str, source: String) -> Result<(), Error> {
    let refuse = |why: String| Error::new(ErrorKind::InvalidOperation, why);
    if source.len() > LONGEST {
        return Err(refuse(format!("it has more than {LONGEST} bytes")));
    }
    environment.set_fuel(Some(FUEL));
    let stack = (1 << 20) + STACK * source.len();
    std::thread::scope(|scope| {
        let add = || environment.add_template_owned(name, source);
        let thread = std::thread::Builder::new().stack_size(stack).spawn_scoped(scope, add);
        let thread = thread.map_err(|error| refuse(error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(refuse("it contradicts itself".into())))
    })
}
