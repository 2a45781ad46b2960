//! From options to a running host: folder, port, template, services, functions, triggers.

use crate::functions;
use crate::gateway::Gateway;
use crate::gateway::cors::CorsRules;
use crate::gateway::sockets::SocketGateway;
use crate::triggers::{Sources, Triggers};
use crate::{Local, Options, Services, SocketTimes, StartError};
use emulators::Endpoints;
use emulators::connections::Connections;
use emulators::data::{Data, Folder};
use emulators::dynamodb::DynamoDb;
use emulators::environment::{Environment, Environments};
use emulators::faults::FaultLayer;
use emulators::faults::replica::{LAG, Replica};
use emulators::lambda::Function;
use emulators::s3::S3;
use emulators::secrets::Secrets;
use emulators::ses::Ses;
use emulators::sqs::{QueueSpec, Sqs};
use emulators::wire::Wire;
use emulators::{Durability, Listener, REGION, listen_at};
use shared::clock::Clock;
use shared::{App, Config};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use template::resolve::Bindings;
use template::{Model, TemplateError};
use tokio::sync::{Notify, RwLock, watch};

/// What signs requests on this machine; the embedded S3 checks it.
const ACCESS_KEY_ID: &str = "local";
const SECRET_ACCESS_KEY: &str = "local-secret";

/// Where the services answer: on the ports after the API's.
struct Listeners {
    dynamodb: Listener,
    sqs: Listener,
    s3: Listener,
    ses: Listener,
    connections: Listener,
    secrets: Listener,
}

impl Listeners {
    fn bind(options: &Options) -> Result<Self, StartError> {
        Ok(Self {
            dynamodb: listen(options, "DynamoDB", 1)?,
            sqs: listen(options, "SQS", 2)?,
            s3: listen(options, "S3", 3)?,
            ses: listen(options, "SES", 4)?,
            connections: listen(options, "sockets", 5)?,
            secrets: listen(options, "Secrets Manager", 6)?,
        })
    }
}

fn listen(options: &Options, service: &'static str, offset: u16) -> Result<Listener, StartError> {
    // 0 is any port that is free, for each of them.
    let port = if options.port == 0 { 0 } else { options.port.saturating_add(offset) };
    listen_at(SocketAddr::new(options.host, port)).map_err(|source| StartError::Port { port, service, source })
}

impl Local {
    /// Runs the template.
    ///
    /// # Errors
    /// In one line what is in the way.
    pub async fn start(mut options: Options) -> Result<Self, StartError> {
        let folder = Folder::open(&options.data)?;
        // All of them before anything starts.
        let (listener, url) = listen(&options, "the API", 0)?;
        let listeners = Listeners::bind(&options)?;
        if !is_localhost(options.host) {
            options.parameters.entry("PublicUrl".to_owned()).or_insert_with(|| url.clone());
            options.parameters.entry("SocketsUrl".to_owned()).or_insert_with(|| url.replacen("http", "ws", 1));
        }
        let template = Template::read(&options, listener.local_addr()?.port())?;
        let services = services(&options, &folder, &template.model, listeners).await?;
        let endpoints = services.endpoints();
        let environments = template.environments(&options, &services, &endpoints)?;
        folder.tell(&Environments::of(&template.model, &environments, &endpoints))?;
        let clock = Clock::default();
        clock.advance(options.clock_offset);
        let apps = template.apps(&environments, &clock)?;
        // As Lambda's init phase does.
        for (name, app) in &apps {
            app.key_ring().refresh().await.map_err(|error| StartError::Function(name.clone(), error.to_string()))?;
        }
        let functions = template.functions(&apps)?;
        let written = Arc::new(Notify::new());
        let gateway = template.gateway(&functions, &services, options.socket_times, written.clone())?;
        let sources = Sources {
            dynamodb: services.dynamodb.clone(),
            sqs: services.sqs.clone(),
            table: template.model.table.name.clone(),
            faults: services.faults.clone(),
            replica: services.replica.clone(),
            written,
            waiting: watch::Sender::default(),
            gate: Arc::new(RwLock::new(())),
        };
        let triggers = Triggers::start(sources, &template.model, &functions).await?;
        if options.workers {
            triggers.resume().await;
        }
        Ok(Self {
            url,
            model: template.model,
            environments,
            endpoints,
            apps,
            functions,
            clock,
            server: gateway.serve(listener),
            triggers,
            services,
            _folder: folder,
        })
    }
}

/// Whether what listens there answers at `localhost`.
fn is_localhost(host: IpAddr) -> bool {
    host.is_unspecified() || host == Ipv4Addr::LOCALHOST || host == Ipv6Addr::LOCALHOST
}

/// Starts the services with the template's table, queues and buckets.
async fn services(
    options: &Options,
    folder: &Folder,
    model: &Model,
    listeners: Listeners,
) -> Result<Services, StartError> {
    let Listeners { dynamodb, sqs, s3, ses, connections, secrets } = listeners;
    let durability = options.durability.unwrap_or(match options.data {
        Data::Ephemeral => Durability::Fast,
        Data::Dir(_) => Durability::Full,
    });
    let queues = model.queues.iter().map(|queue| QueueSpec {
        name: queue.name.clone(),
        delay: queue.delay(),
        visibility_timeout: options.visibility_timeout.unwrap_or_else(|| queue.visibility_timeout()),
        redrive: queue.redrive_policy.as_ref().map(|to| (to.dead_letter_queue.clone(), to.max_receive_count)),
    });
    let dir = folder.path();
    let faults = options.faults.map(FaultLayer::new);
    let table = async {
        let dynamodb = DynamoDb::start_on(dynamodb, dir, durability).await?;
        dynamodb.create_table(&model.table.properties).await?;
        Ok(dynamodb)
    };
    for secret in &model.secrets {
        folder.secret(secret)?;
    }
    let secrets = Secrets::start(secrets, folder.secrets());
    let connections = Connections::start(connections);
    let (dynamodb, sqs, ses, s3) = futures::try_join!(
        table,
        Sqs::start_under(faults.as_ref().map(FaultLayer::messages), sqs, dir, durability, queues.collect()),
        Ses::start(ses, dir, durability),
        S3::start(s3, dir, durability, &model.buckets, (ACCESS_KEY_ID, SECRET_ACCESS_KEY)),
    )?;
    let dynamodb = Arc::new(dynamodb);
    let replica = match &faults {
        Some(faults) if faults.needs_replica() => {
            Some(Arc::new(Replica::start(dynamodb.clone(), &model.table.name, LAG).await?))
        }
        _ => None,
    };
    let wire = match options.record_wire {
        true => {
            s3.record_requests();
            Some(Wire::start(dynamodb.endpoint()).await?)
        }
        false => None,
    };
    Ok(Services { dynamodb, sqs, ses: Arc::new(ses), connections, s3, secrets, wire, faults, replica })
}

impl Services {
    fn endpoints(&self) -> Endpoints {
        let dynamodb = self.wire.as_ref().map_or_else(|| self.dynamodb.endpoint(), Wire::endpoint);
        Endpoints {
            dynamodb: dynamodb.to_owned(),
            sqs: self.sqs.endpoint().to_owned(),
            s3: self.s3.endpoint().to_owned(),
            ses: self.ses.endpoint().to_owned(),
            connections: self.connections.endpoint().to_owned(),
            secrets: self.secrets.endpoint().to_owned(),
        }
    }

    /// The endpoints of one function: under faults its way to DynamoDB is its own.
    fn endpoints_of(&self, function: &str, endpoints: &Endpoints) -> std::io::Result<Endpoints> {
        let mut endpoints = endpoints.clone();
        if let Some(faults) = &self.faults {
            endpoints.dynamodb = faults.proxy(function, &endpoints.dynamodb, self.replica.as_deref())?;
        }
        Ok(endpoints)
    }
}

/// A model and where it came from.
struct Template {
    path: PathBuf,
    model: Model,
}

impl Template {
    fn read(options: &Options, port: u16) -> Result<Self, StartError> {
        let (path, yaml) = template_text(options.template.as_deref());
        let mut parameters = options.parameters.clone();
        parameters.entry("PublicUrl".to_owned()).or_insert_with(|| format!("http://localhost:{port}"));
        parameters.entry("SocketsUrl".to_owned()).or_insert_with(|| format!("ws://localhost:{port}"));
        // Somebody who tries the service out floods nobody, and a count costs a write.
        parameters.entry("ReadLimit".to_owned()).or_insert_with(|| "0".to_owned());
        let yaml = yaml.map_err(|error| TemplateError::at("the file", error));
        match yaml.and_then(|yaml| Model::parse(&yaml, &parameters)) {
            Ok(model) => Ok(Self { path, model }),
            Err(source) => Err(StartError::Template { path, source }),
        }
    }

    fn error(&self, source: TemplateError) -> StartError {
        StartError::Template { path: self.path.clone(), source }
    }

    /// Each function's environment: the template's, Lambda's own, and where the services are.
    fn environments(
        &self,
        options: &Options,
        services: &Services,
        endpoints: &Endpoints,
    ) -> Result<BTreeMap<String, Environment>, StartError> {
        let bindings = Bindings { queues: services.sqs.endpoint().to_owned() };
        let mut environments = BTreeMap::new();
        for function in &self.model.functions {
            let given = self.model.environment(function, &bindings).map_err(|error| self.error(error))?;
            let endpoints = services.endpoints_of(&function.binary, endpoints)?;
            // What Lambda gives holds: the template declares the endpoints, empty, for `sam local`.
            let mut environment = given;
            environment.extend(lambda_environment(function, &endpoints));
            environment.extend(options.environment.clone());
            environments.insert(function.binary.clone(), environment);
        }
        Ok(environments)
    }

    /// Each function's configuration and clients.
    fn apps(
        &self,
        environments: &BTreeMap<String, Environment>,
        clock: &Clock,
    ) -> Result<BTreeMap<String, App>, StartError> {
        let app = |(name, environment): (&String, &Environment)| {
            let config = Config::read(|variable| environment.get(variable).cloned())
                .map_err(|error| StartError::Function(name.clone(), error.to_string()))?;
            Ok((name.clone(), App::with_clock(config, clock.clone())))
        };
        environments.iter().map(app).collect()
    }

    fn functions(&self, apps: &BTreeMap<String, App>) -> Result<BTreeMap<String, Arc<Function>>, StartError> {
        let mut built = BTreeMap::new();
        for function in &self.model.functions {
            let name = &function.binary;
            let handler = functions::door(name, apps[name].clone()).ok_or_else(|| {
                StartError::Function(name.clone(), "local/host/src/functions.rs does not list it".to_owned())
            })?;
            built.insert(name.clone(), Arc::new(Function::new(name, function.timeout, handler)));
        }
        Ok(built)
    }

    fn gateway(
        &self,
        functions: &BTreeMap<String, Arc<Function>>,
        services: &Services,
        socket_times: SocketTimes,
        written: Arc<Notify>,
    ) -> Result<Gateway, StartError> {
        let cors = self.model.cors.as_ref().map(CorsRules::new).transpose();
        let cors = cors.map_err(|error| self.error(TemplateError::at("CorsConfiguration", error)))?;
        Ok(Gateway {
            routes: self.model.routes(|function| functions[&function.binary].clone()),
            stages: self.model.stages.clone(),
            cors,
            sockets: self.model.sockets.as_ref().and_then(|api| {
                let function = self.model.functions.iter().find(|function| function.id == api.function)?;
                Some(SocketGateway {
                    stages: api.stages.clone(),
                    function: functions[&function.binary].clone(),
                    connections: services.connections.clone(),
                    times: socket_times,
                })
            }),
            mails: services.ses.clone(),
            written,
        })
    }
}

/// What Lambda itself puts into the environment, and the SDKs' names for other endpoints.
fn lambda_environment(function: &template::Function, endpoints: &Endpoints) -> Environment {
    let memory = function.memory.to_string();
    let variables = [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.binary),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints.dynamodb),
        ("AWS_ENDPOINT_URL_SQS", &endpoints.sqs),
        ("AWS_ENDPOINT_URL_S3", &endpoints.s3),
        ("AWS_ENDPOINT_URL_SESV2", &endpoints.ses),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", &endpoints.connections),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &endpoints.secrets),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The template of this build, for where no checkout is.
const BUILT_IN: &str = include_str!("../../../template.yaml");

/// The template and its name: the given file, else `template.yaml` in the current folder, else the one built in.
fn template_text(given: Option<&Path>) -> (PathBuf, std::io::Result<Cow<'static, str>>) {
    let here = Path::new("template.yaml");
    match given.or_else(|| here.exists().then_some(here)) {
        Some(path) => (path.to_owned(), std::fs::read_to_string(path).map(Cow::Owned)),
        None => ("built into perch".into(), Ok(Cow::Borrowed(BUILT_IN))),
    }
}
