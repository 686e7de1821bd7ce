//! The words of `convoy config`. The texts here are its manual.
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

/// The configuration, and what to do with it.
#[derive(Debug, ClapArgs)]
pub struct Config {
    /// Act on this configuration file and what it includes; no convoyd is asked
    #[arg(long, value_name = "PATH", global = true)]
    pub file: Option<PathBuf>,
    /// Session whose transaction is meant [default: one for each terminal]
    #[arg(long, value_name = "NAME", env = "CONVOY_SESSION", global = true)]
    pub session: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check configuration files, and say all that is wrong with them
    ///
    /// Each file is checked with what it includes, as convoyd of this host would read it. Nothing is changed and no
    /// convoyd is asked. Exit code 1 when one of them cannot be used.
    #[command(
        after_long_help = "Example:\n  convoy config check /etc/convoy/ecelerity-cluster.conf\n  convoy config check --json conf/*.conf | jq '.files[].diagnostics[].message'"
    )]
    Check {
        /// Main configuration files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// The value that is set exactly there
    ///
    /// A scope's name is followed by its instance, where it has instances. Prints the value alone; exit code 1 when the
    /// option is not set there, also if another scope or a default gives it a value (see eval).
    #[command(
        override_usage = "convoy config get [OPTIONS] [SCOPE [INSTANCE]]... OPTION",
        after_long_help = "Example:\n  convoy config get cluster nodename\n  convoy config get cluster Replicate inbound_cidr max_delay\n  convoy config get cluster 'Replicate \"inbound_cidr\"' max_delay"
    )]
    Get(Words),
    /// The value in effect there, from wherever it comes
    ///
    /// Looks in the scope itself, then in those that the option falls back to, then at its default. --json says which it
    /// was, and where it is set.
    #[command(
        override_usage = "convoy config eval [OPTIONS] [SCOPE [INSTANCE]]... OPTION",
        after_long_help = "Example:\n  convoy config eval cluster heartbeats_per_sec\n  convoy config --json eval Binding b1 Domain example.com max_outbound_connections"
    )]
    Eval(Words),
    /// Give an option another value, at once
    ///
    /// The whole configuration is built and checked with it; if that fails nothing changes. The value is in effect when
    /// the command returns, and is lost with convoyd unless it is written back. Inside a transaction it is kept aside
    /// instead. With --file the file itself is changed: comments and layout stay.
    #[command(
        override_usage = "convoy config set [OPTIONS] [SCOPE [INSTANCE]]... OPTION [=] VALUE",
        after_long_help = "Example:\n  convoy config set cluster Replicate inbound_cidr max_delay = 0.05\n  convoy config set cluster inbound_ports '( 25 465 587 )'\n  convoy config --file ecelerity-cluster.conf set msgc_server peers '[ mx1 = 10.0.0.1 mx2 = 10.0.0.2 ]'"
    )]
    Set(Words),
    /// Take the value of an option away, or a scope with everything in it
    ///
    /// Everywhere it is set. What is in a file that is never written (included read-only) cannot be taken away: set
    /// another value.
    #[command(
        override_usage = "convoy config unset [OPTIONS] [SCOPE [INSTANCE]]... [OPTION]",
        after_long_help = "Example:\n  convoy config unset cluster Replicate inbound_cidr max_delay\n  convoy config unset cluster Replicate outbound_cidr"
    )]
    Unset(Words),
    /// What is set in one scope; scopes inside it as { ... }
    ///
    /// Without words: the outermost scope. A scope's name without an instance: all of them.
    #[command(
        override_usage = "convoy config show [OPTIONS] [SCOPE [INSTANCE]]... [OPTION]",
        after_long_help = "Example:\n  convoy config show\n  convoy config show cluster\n  convoy config show cluster Replicate"
    )]
    Show(Words),
    /// What is set in a scope and in all scopes inside it
    ///
    /// Without words: the whole configuration, as one file without includes could hold it.
    #[command(
        override_usage = "convoy config showrecurse [OPTIONS] [SCOPE [INSTANCE]]...",
        after_long_help = "Example:\n  convoy config showrecurse cluster\n  convoy config showrecurse > all.conf"
    )]
    Showrecurse(Words),
    /// Where there are scopes of a name
    ///
    /// Prints a path for each: names and instances from the outermost scope, a colon after each, colons of an
    /// instance escaped. With an expression, only those whose instance it matches.
    #[command(
        after_long_help = "Example:\n  convoy config locate Listen\n  convoy config locate Listen '^127'"
    )]
    Locate {
        /// Name of the scope, in any case
        scope: String,
        /// Regular expression for the instance
        regex: Option<String>,
    },
    /// Keep changes aside from now on, until commit
    ///
    /// Begins a transaction of this session: set and unset change only what this session sees. "begin from scratch"
    /// begins with an empty configuration. The transaction is dropped after 15 minutes without a command.
    #[command(
        after_long_help = "Example:\n  convoy config begin\n  convoy config set cluster inbound_ports 25\n  convoy config set cluster outbound_ports 25\n  convoy config commit"
    )]
    Begin {
        /// "from scratch": begin with an empty configuration
        #[arg(value_name = "from scratch", num_args = 0..=2)]
        words: Vec<String>,
    },
    /// Let the changes of the transaction take effect, all of them or none
    ///
    /// The first commit wins: when the configuration has changed since the transaction began, replay it first.
    #[command(
        after_long_help = "Example:\n  convoy config commit || convoy config replay && convoy config commit"
    )]
    Commit,
    /// Drop the changes of the transaction
    #[command(after_long_help = "Example:\n  convoy config rollback")]
    Rollback,
    /// Make the changes of the transaction once more, on top of the present configuration
    #[command(after_long_help = "Example:\n  convoy config replay && convoy config commit")]
    Replay,
    /// Read the files anew; changes that were not written back are dropped
    ///
    /// Takes effect as a whole, or not at all: what is wrong is told, and the old configuration stays. Not inside a
    /// transaction.
    #[command(
        after_long_help = "Example:\n  convoy config reload\n  convoy config reload /etc/convoy/tried.conf"
    )]
    Reload {
        /// Read this main file instead, until the next reload
        path: Option<PathBuf>,
    },
    /// Save the changes in the files they belong to
    ///
    /// Comments and layout stay. A file that somebody else changed meanwhile is not overwritten. What belongs to no
    /// file that may be written is printed.
    #[command(
        after_long_help = "Example:\n  convoy config writeback\n  convoy config writeback /var/backups/convoy.conf"
    )]
    Writeback {
        /// Write everything into this one file instead, without includes
        path: Option<PathBuf>,
    },
}

/// Scopes, an option, a value.
#[derive(Debug, ClapArgs)]
pub struct Words {
    /// Scopes with their instances, then the option, then the value, as far as the command takes them
    #[arg(value_name = "WORD", allow_negative_numbers = true)]
    pub words: Vec<String>,
}
