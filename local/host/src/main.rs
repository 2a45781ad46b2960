//! `cargo run`: the whole service on this machine.

use clap::{Args, Parser, Subcommand};
use emulators::Endpoints;
use emulators::data::Data;
use emulators::environment::{Environments, env_file, shell};
use emulators::faults::{FaultLayer, Faults, Profile};
use indicatif::{ProgressBar, ProgressStyle};
use local::demo::{self, Demo, DemoError};
use local::{Local, Options};
use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;
use tools::audit::{Target, audit};
use tools::demo::{Made, PASSWORD, Size};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Perch on this machine: the API, its workers and the AWS services they need, in one process.
#[derive(Parser)]
#[command(name = "perch", version = VERSION.as_str(), args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Arguments,
}

/// The version and the commit, which builds that are given away name in PERCH_COMMIT. It is not asked of git, or every
/// commit would be followed by a build.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), option_env!("PERCH_COMMIT").unwrap_or("development build"))
});

/// Where all data is, unless told otherwise.
const DATA_DIR: &str = ".perch";
/// Where the API is, unless told otherwise.
const PORT: u16 = 3000;
/// The last port that five others follow.
const LAST_PORT: u16 = u16::MAX - 5;

/// What else it can do than serve.
#[derive(Subcommand)]
enum Command {
    /// Tell what in a table does not fit together: counters, ledgers, guards, timelines; 1 at the end if anything. No
    /// run may use the folder meanwhile
    Audit(AuditArguments),
    /// Fill an empty data folder through the API: people, posts with pictures, and what they do with them; then end
    Demo(DemoArguments),
    /// Print the environment in which functions outside work on the services of a run; without an option to eval in a
    /// shell
    Env(EnvArguments),
    /// Make somebody a moderator, who sees reports and decides on them; a host may run meanwhile
    Moderator(ModeratorArguments),
    /// Index anew, after an update that says so, what posts and people are found by; a host may run meanwhile
    Reindex(TableArguments),
    /// Turn off the second factor of somebody who has lost it; a host may run meanwhile
    SecondFactorOff(SecondFactorArguments),
}

#[derive(Args)]
struct DemoArguments {
    /// The data folder: empty, or not there yet
    #[arg(long, default_value = DATA_DIR, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// How many people
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    people: u16,
    /// How many posts, each with a picture
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    posts: u16,
}

#[derive(Args)]
struct EnvArguments {
    /// All that this function's process finds, such as users [default: what is alike in all functions]
    #[arg(value_name = "FUNCTION", conflicts_with = "sam")]
    function: Option<String>,
    /// For sam local --env-vars
    #[arg(long)]
    sam: bool,
    /// For cargo lambda watch --env-file
    #[arg(long, conflicts_with = "sam")]
    env_file: bool,
    /// What a function calls this machine [default: as the run does, 127.0.0.1]
    #[arg(long, value_name = "NAME")]
    service_host: Option<String>,
    /// For functions in containers: --service-host host.docker.internal
    #[arg(long, conflicts_with = "service_host")]
    docker: bool,
    /// The run's data folder
    #[arg(long, default_value = DATA_DIR, value_name = "FOLDER")]
    data_dir: PathBuf,
}

#[derive(Args)]
struct ModeratorArguments {
    /// The username
    #[arg(value_name = "USERNAME")]
    username: String,
    /// Take the role away instead
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    table: TableArguments,
}

#[derive(Args)]
struct SecondFactorArguments {
    /// The username
    #[arg(value_name = "USERNAME")]
    username: String,
    #[command(flatten)]
    table: TableArguments,
}

#[derive(Args)]
struct TableArguments {
    /// The data folder
    #[arg(long, default_value = DATA_DIR, value_name = "FOLDER", conflicts_with = "table")]
    data_dir: PathBuf,
    /// A table on AWS instead, by AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Another address for that table than AWS's own
    #[arg(long, value_name = "URL", requires = "table")]
    endpoint_url: Option<String>,
}

impl From<TableArguments> for Target {
    fn from(TableArguments { data_dir, table, endpoint_url: endpoint }: TableArguments) -> Self {
        table.map_or(Self::Folder(data_dir), |name| Self::Table { name, endpoint })
    }
}

#[derive(Args)]
struct AuditArguments {
    #[command(flatten)]
    table: TableArguments,
    /// Nothing is under way: an edge that is not counted is a finding too
    #[arg(long)]
    settled: bool,
}

#[derive(Args)]
struct Arguments {
    /// The API's port; the services take the six after it. 0 takes any that are free
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(..=i64::from(LAST_PORT)))]
    port: u16,
    /// The address to listen on; 0.0.0.0 is any, and open to the network
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    host: IpAddr,
    /// The folder that keeps all data; it is made if it does not exist
    #[arg(long, default_value = DATA_DIR, value_name = "FOLDER")]
    data_dir: PathBuf,
    /// Keep data in a temporary folder that is removed at the end
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
    /// Log warnings and errors only, not every request
    #[arg(long)]
    quiet: bool,
    /// Let profiles and posts be read without signing in
    #[arg(long)]
    public_reading: bool,
    /// Lift the limits per address and per user, for tests and load; the login throttle of an account stays
    #[arg(long)]
    no_rate_limits: bool,
    /// The template to run [default: template.yaml in this folder, or else the one built in]
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// A value for one of the template's parameters, such as AppUrl=https://app.example.com; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Let go wrong what goes wrong on AWS: stale reads, conflicts, throttling, redelivery, or a mix of all
    #[arg(long, value_enum, value_name = "PROFILE")]
    faults: Option<Profile>,
    /// What the dice for faults start from, to meet the same ones again [default: any]
    #[arg(long, value_name = "N", requires = "faults")]
    fault_seed: Option<u64>,
    /// How many seconds the clock is ahead of the system's, to see what comes later, such as scheduled posts
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    clock_offset: u64,
    /// Print the OpenAPI document of all functions, and end
    #[arg(long)]
    print_openapi: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has the form NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Arguments {
    fn options(&self) -> Options {
        let mut parameters: std::collections::BTreeMap<_, _> = self.parameters.iter().cloned().collect();
        if self.public_reading {
            parameters.insert("PublicReading".to_owned(), "on".to_owned());
        }
        if self.no_rate_limits {
            parameters.insert("RateLimits".to_owned(), "off".to_owned());
        }
        Options {
            host: self.host,
            port: self.port,
            data: if self.ephemeral { Data::Ephemeral } else { Data::Dir(self.data_dir.clone()) },
            template: self.template.clone(),
            parameters,
            faults: self.faults.map(|profile| match self.fault_seed {
                Some(seed) => Faults { profile, seed },
                None => Faults::new(profile),
            }),
            clock_offset: std::time::Duration::from_secs(self.clock_offset),
            ..Options::default()
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the log's levels, which are the host's own")]
    fn start_logging(&self) {
        // The functions' own lines, which are for CloudWatch, would say each request a second time.
        let usual = match self.quiet {
            true => Targets::new().with_default(LevelFilter::WARN),
            false => Targets::new().with_default(LevelFilter::INFO).with_target("request", LevelFilter::OFF),
        };
        let levels = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse().ok()).unwrap_or(usual);
        let is_terminal = std::io::stderr().is_terminal();
        let lines = fmt::layer().with_target(false).with_ansi(is_terminal).with_writer(std::io::stderr);
        tracing_subscriber::registry().with(levels).with(lines).init();
    }

    /// What to know at the start, on stdout.
    fn welcome(&self, local: &Local) -> std::io::Result<()> {
        let url = local.url();
        let data = if self.ephemeral {
            "a temporary folder, removed at the end".to_owned()
        } else {
            self.data_dir.display().to_string()
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "Perch runs at  {url}")?;
        writeln!(out, "Docs           {url}/docs")?;
        writeln!(out, "Mail           {url}/_local/mail")?;
        writeln!(out, "Data           {data}")?;
        writeln!(out, "Services       {}", services(local.endpoints()))?;
        if !self.ephemeral && demo::is_unfinished(&self.data_dir) {
            writeln!(out, "Demo           half filled, for it was stopped; remove the folder and start it again")?;
        }
        if let Some(Faults { profile, seed }) = local.faults().map(FaultLayer::faults) {
            writeln!(out, "Faults         {profile}, seed {seed}")?;
        }
        writeln!(out, "Stop           Ctrl-C")?;
        out.flush()
    }
}

/// Which service answers on which port.
fn services(endpoints: &Endpoints) -> String {
    let Endpoints { dynamodb, sqs, s3, ses, connections, secrets } = endpoints;
    let named = [
        ("DynamoDB", dynamodb),
        ("SQS", sqs),
        ("S3", s3),
        ("SES", ses),
        ("sockets", connections),
        ("Secrets Manager", secrets),
    ];
    let ports = named.map(|(name, endpoint)| format!("{name} {}", endpoint.rsplit(':').next().unwrap_or_default()));
    ports.join(", ")
}

#[tokio::main]
async fn main() -> ExitCode {
    let CommandLine { command, serve: arguments } = CommandLine::parse();
    match command {
        Some(Command::Audit(arguments)) => return Box::pin(run_audit(arguments)).await,
        Some(Command::Demo(arguments)) => return Box::pin(run_demo(&arguments)).await,
        Some(Command::Env(arguments)) => return print_environment(&arguments),
        Some(Command::Moderator(arguments)) => return Box::pin(appoint(arguments)).await,
        Some(Command::Reindex(table)) => return Box::pin(reindex(table)).await,
        Some(Command::SecondFactorOff(arguments)) => return Box::pin(turn_off_second_factor(arguments)).await,
        None => {}
    }
    if arguments.print_openapi {
        return print_openapi().map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS);
    }
    arguments.start_logging();
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return fail(&error),
    };
    let local = match Box::pin(Local::start(arguments.options())).await {
        Ok(local) => local,
        Err(error) => return fail(&error),
    };
    // A closed stdout is no reason not to serve.
    let _ = arguments.welcome(&local);
    stop.await;
    local.stop().await;
    ExitCode::SUCCESS
}

/// 0 for a clean table, 1 for one with findings, 2 for one that can't be audited.
async fn run_audit(arguments: AuditArguments) -> ExitCode {
    let AuditArguments { table, settled } = arguments;
    let report = match audit(&table.into(), settled).await {
        Ok(report) => report,
        Err(error) => {
            fail(&error);
            return ExitCode::from(2);
        }
    };
    match writeln!(std::io::stdout().lock(), "{report}") {
        Ok(()) if report.is_clean() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Fills the folder, unless it is told to stop before.
async fn run_demo(arguments: &DemoArguments) -> ExitCode {
    let DemoArguments { data_dir, people, posts } = arguments;
    let size = Size { people: (*people).into(), posts: (*posts).into() };
    let started = Instant::now();
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return fail(&error),
    };
    let demo = match Box::pin(Demo::start(data_dir, &format!("http://localhost:{PORT}"))).await {
        Ok(demo) => demo,
        Err(error) => return fail(&error),
    };
    let bar = progress_bar();
    let filled = tokio::select! {
        filled = demo.fill(size, |progress| {
            bar.set_length(progress.all);
            bar.set_position(progress.done);
            bar.set_message(progress.at);
        }) => filled,
        () = stop => Err(DemoError::Unfinished(data_dir.clone())),
    };
    bar.finish_and_clear();
    let stopped = demo.stop(filled.is_ok()).await;
    match filled.and_then(|made| stopped.map(|()| made)) {
        // A closed stdout is no reason to call it unfinished.
        Ok(made) => tell_made(&made, data_dir, started).map_or(ExitCode::SUCCESS, |()| ExitCode::SUCCESS),
        Err(error) => fail(&error),
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{wide_bar} {percent:>3} %, {elapsed}: {msg:<10}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What there is, and how to see it.
fn tell_made(made: &Made, folder: &Path, started: Instant) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "Made           {made}")?;
    writeln!(out, "Took           {} s", started.elapsed().as_secs())?;
    writeln!(out, "Data           {}", folder.display())?;
    writeln!(out, "Sign in        username {}, password \"{PASSWORD}\"", made.username)?;
    // Cargo sets this for what it runs.
    let (perch, separator) = if std::env::var_os("CARGO").is_some() { ("cargo run", " --") } else { ("perch", "") };
    let is_default = folder == Path::new(DATA_DIR);
    let named = if is_default { String::new() } else { format!("{separator} --data-dir {}", folder.display()) };
    writeln!(out, "See it         {perch}{named}, then http://localhost:{PORT}/docs")?;
    out.flush()
}

/// Says what the named one is now.
async fn appoint(arguments: ModeratorArguments) -> ExitCode {
    let ModeratorArguments { username, remove, table } = arguments;
    let changed = match tools::accounts::appoint(&table.into(), &username, !remove).await {
        Ok(changed) => changed,
        Err(error) => return fail(&error),
    };
    let told = match (remove, changed) {
        (false, true) => "is a moderator now",
        (false, false) => "is a moderator already",
        (true, true) => "is no moderator any more",
        (true, false) => "is no moderator",
    };
    writeln!(std::io::stdout().lock(), "{username} {told}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Says whether it was on.
async fn turn_off_second_factor(arguments: SecondFactorArguments) -> ExitCode {
    let SecondFactorArguments { username, table } = arguments;
    let told = match tools::accounts::turn_off_second_factor(&table.into(), &username).await {
        Ok(true) => "signs in by the password alone now",
        Ok(false) => "has no second factor",
        Err(error) => return fail(&error),
    };
    writeln!(std::io::stdout().lock(), "{username} {told}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Says how much was looked at.
async fn reindex(table: TableArguments) -> ExitCode {
    match tools::reindex::reindex(&table.into()).await {
        Ok(done) => writeln!(std::io::stdout().lock(), "{} posts and comments, {} people", done.posts, done.people)
            .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(error) => fail(&error),
    }
}

/// In the form that was asked for.
fn print_environment(arguments: &EnvArguments) -> ExitCode {
    let environments = match Environments::of_run(&arguments.data_dir) {
        Ok(environments) => environments,
        Err(error) => return fail(&error),
    };
    let host = arguments.service_host.as_deref().or(arguments.docker.then_some("host.docker.internal"));
    let environments = match host {
        Some(host) => environments.with_service_host(host),
        None => environments,
    };
    let text = if arguments.sam {
        format!("{:#}\n", environments.sam())
    } else {
        match environments.variables(arguments.function.as_deref()) {
            Ok(variables) if arguments.env_file => env_file(&variables),
            Ok(variables) => shell(&variables),
            Err(error) => return fail(&error),
        }
    };
    write!(std::io::stdout().lock(), "{text}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn print_openapi() -> std::io::Result<()> {
    let document = shared::http::openapi::document(local::openapi_parts());
    writeln!(std::io::stdout().lock(), "{}", document.to_pretty_json()?)
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("perch: {error}");
    ExitCode::FAILURE
}

/// Ready at Ctrl-C or SIGTERM, which are caught from now on.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready at Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
