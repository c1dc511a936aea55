//! Hands over to the command line.

fn main() -> std::process::ExitCode {
    spartui::command_line::main()
}
