//! Limits on templates: those of a model's files and of a recipe are untrusted.

use minijinja::{Environment, Error, ErrorKind};

/// The longest template in bytes; those of models are below 30,000.
const LONGEST: usize = 1 << 18;
/// The most instructions per text: about a second. A conversation of a thousand messages needs a hundredth of that.
const FUEL: u64 = 20_000_000;
/// Stack bytes per byte of a template: the library recurses for each operator in a chain and each `elif`, with up to
/// 500 bytes for an operator of one character.
const STACK: usize = 4096;

/// Adds a template to its environment, with a limit on its instructions.
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
