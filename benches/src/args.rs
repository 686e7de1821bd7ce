//! The command line that every benchmark understands; `script/bench` passes it through.
use crate::{
    machine,
    table::{Style, Table},
};
use clap::Parser;

/// Flags of a benchmark. One that needs more flattens this into its own.
#[derive(Clone, Copy, Debug, Parser)]
#[command(about = "Measures one hot path beside its peer or its limit")]
pub struct Args {
    /// Small sizes: shows that it runs, says nothing about speed
    #[arg(long)]
    pub quick: bool,
    /// Print Markdown, as benches/README.md keeps it
    #[arg(long)]
    pub markdown: bool,
}

impl Args {
    /// Reads the command line of this process; ends it with a message when it is wrong.
    pub fn from_command_line() -> Self {
        Self::parse()
    }

    /// Returns `full`, or `small` when only a quick run is asked for.
    pub fn size<T>(self, full: T, small: T) -> T {
        if self.quick { small } else { full }
    }

    /// Returns how tables are to look.
    pub fn style(self) -> Style {
        if self.markdown { Style::Markdown } else { Style::Text }
    }

    /// Returns the tables as they are to be printed, under a line about the machine.
    pub fn report(self, tables: &[Table]) -> String {
        let small = if self.quick { "\nSMALL SIZES: these numbers say nothing about speed.\n" } else { "" };
        let tables: Vec<_> = tables.iter().map(|table| table.render(self.style())).collect();
        format!("{}\n{small}\n{}", machine::line(), tables.join("\n"))
    }
}
