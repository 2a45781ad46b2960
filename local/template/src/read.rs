//! From a parsed document to a [`Model`].

use super::resolve::{Bindings, Resolver, long_form, physical_name, scalar};
use super::{Bucket, Event, Function, Model, Queue, Secret, SocketApi, Table, TemplateError};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Reads a template: see [`Model::parse`].
pub(super) fn model(yaml: &str, overrides: &BTreeMap<String, String>) -> Result<Model, TemplateError> {
    let document = serde_yaml_ng::from_str(yaml).map_err(|error| TemplateError::at("YAML", error))?;
    let document = long_form(document, "")?;
    let parameters = parameters(&document["Parameters"], overrides)?;
    TemplateReader { document: &document, parameters: &parameters }.model()
}

/// A parameter's value: the override, or its default. A list for the list types, else a text.
fn parameters(
    declared: &Value,
    overrides: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    let declared = declared.as_object().cloned().unwrap_or_default();
    if let Some(unknown) = overrides.keys().find(|name| !declared.contains_key(*name)) {
        return Err(TemplateError::at("Parameters", format!("there is no parameter {unknown}")));
    }
    let mut values = BTreeMap::new();
    for (name, declaration) in declared {
        let place = format!("Parameters.{name}");
        let value = match (overrides.get(&name), declaration.get("Default")) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => scalar(default, &place)?,
            (None, None) => {
                return Err(TemplateError::at(place, "it has no default: give it a value"));
            }
        };
        let allowed = declaration["AllowedValues"].as_array();
        if let Some(allowed) = allowed.filter(|allowed| !allowed.iter().any(|one| *one == value)) {
            let allowed: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
            return Err(TemplateError::at(place, format!("{value:?} is none of {}", allowed.join(", "))));
        }
        let is_list = declaration["Type"].as_str().is_some_and(|kind| kind.contains("List"));
        let value = if is_list {
            Value::from(value.split(',').map(str::trim).collect::<Vec<_>>())
        } else {
            Value::String(value)
        };
        values.insert(name, value);
    }
    Ok(values)
}

struct TemplateReader<'a> {
    document: &'a Value,
    parameters: &'a BTreeMap<String, Value>,
}

impl TemplateReader<'_> {
    fn model(&self) -> Result<Model, TemplateError> {
        let api = self.all("AWS::Serverless::HttpApi")?.into_iter().next();
        let stages = api.as_ref().map(|(id, _)| self.stages(id)).transpose()?.unwrap_or_default();
        let cors = api.and_then(|(id, mut api)| Some((id, api.get_mut("CorsConfiguration")?.take())));
        Ok(Model {
            functions: self.functions()?,
            table: self.table()?,
            queues: self.read("AWS::SQS::Queue", |id, queue| Queue { name: id, ..queue })?,
            buckets: self.read("AWS::S3::Bucket", |id, bucket| Bucket {
                name: physical_name("AWS::S3::Bucket", &id),
                ..bucket
            })?,
            secrets: self.read("AWS::SecretsManager::Secret", |id, secret| Secret { id, ..secret })?,
            stages,
            sockets: self.sockets()?,
            cors: cors.map(|(id, cors)| typed(cors, &id)).transpose()?,
            parameters: self.parameters.clone(),
            resources: self.document["Resources"].clone(),
            conditions: self.document["Conditions"].clone(),
        })
    }

    /// The stages that are given to an API beside its own.
    fn stages(&self, api: &str) -> Result<Vec<String>, TemplateError> {
        let all = self.all("AWS::ApiGatewayV2::Stage")?;
        let own = all.into_iter().filter(|(_, stage)| stage["ApiId"] == api);
        own.map(|(id, stage)| match stage["StageName"].as_str() {
            Some(name) => Ok(name.to_owned()),
            None => Err(TemplateError::at(id, "it has no StageName")),
        })
        .collect()
    }

    fn sockets(&self) -> Result<Option<SocketApi>, TemplateError> {
        let Some((id, api)) = self.all("AWS::Serverless::WebSocketApi")?.into_iter().next() else { return Ok(None) };
        let mut stages = self.stages(&id)?;
        stages.extend(api["StageName"].as_str().map(str::to_owned));
        let routes = api["Routes"].as_object();
        let function = |route: &str| {
            let arn = routes.and_then(|routes| routes.get(route)?["FunctionArn"].as_str());
            arn.and_then(|arn| arn.rsplit(':').next()).map(str::to_owned)
        };
        match (function("$connect"), function("$disconnect"), function("$default")) {
            (Some(function), Some(second), Some(third)) if function == second && function == third => {
                Ok(Some(SocketApi { stages, function }))
            }
            _ => Err(TemplateError::at(id, "$connect, $disconnect and $default must lead to one function")),
        }
    }

    /// Resources of a type whose condition holds, unresolved.
    fn resources(&self, kind: &str) -> Result<Vec<(&str, &Value)>, TemplateError> {
        let resources = self.document["Resources"].as_object();
        let resources = resources.ok_or_else(|| TemplateError::at("Resources", "there are none"))?;
        let mut found = Vec::new();
        for (id, resource) in resources {
            let condition = resource["Condition"].as_str();
            let here = condition.map_or(Ok(true), |name| self.resolver().named_condition(name, id))?;
            if here && resource["Type"] == kind {
                found.push((id.as_str(), resource));
            }
        }
        Ok(found)
    }

    /// Resolved properties of all resources of a type.
    fn all(&self, kind: &str) -> Result<Vec<(String, Value)>, TemplateError> {
        let resolver = self.resolver();
        let resources = self.resources(kind)?.into_iter();
        resources.map(|(id, resource)| Ok((id.to_owned(), resolver.resolve(&resource["Properties"], id)?))).collect()
    }

    fn read<T: DeserializeOwned>(&self, kind: &str, named: fn(String, T) -> T) -> Result<Vec<T>, TemplateError> {
        let resources = self.all(kind)?.into_iter();
        resources.map(|(id, properties)| Ok(named(id.clone(), typed(properties, &id)?))).collect()
    }

    fn resolver(&self) -> Resolver<'_> {
        static NOTHING: Bindings = Bindings { queues: String::new() };
        Resolver {
            conditions: &self.document["Conditions"],
            resources: &self.document["Resources"],
            parameters: self.parameters,
            bindings: &NOTHING,
        }
    }

    fn table(&self) -> Result<Table, TemplateError> {
        let mut tables = self.all("AWS::DynamoDB::Table")?;
        match (tables.pop(), tables.is_empty()) {
            (Some((id, mut properties)), true) => {
                let name = physical_name("AWS::DynamoDB::Table", &id);
                properties["TableName"] = Value::String(name.clone());
                Ok(Table { name, properties })
            }
            _ => Err(TemplateError::at("Resources", "exactly one AWS::DynamoDB::Table is expected")),
        }
    }

    fn functions(&self) -> Result<Vec<Function>, TemplateError> {
        let resources = self.resources("AWS::Serverless::Function")?;
        resources.into_iter().map(|(id, resource)| self.function(id, resource)).collect()
    }

    fn function(&self, id: &str, resource: &Value) -> Result<Function, TemplateError> {
        let global = &self.document["Globals"]["Function"];
        let own = &resource["Properties"];
        let setting = |name: &str| match own.get(name).or_else(|| global.get(name)) {
            Some(value) => self.resolver().resolve(value, &format!("{id}.{name}")),
            None => Ok(Value::Null),
        };
        let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str();
        let binary = binary.ok_or_else(|| TemplateError::at(id, "it has no Metadata.BuildProperties.Binary"))?;
        let variables = |from: &Value| from["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
        let mut environment = variables(global);
        environment.extend(variables(own));
        let events: BTreeMap<String, Event> = match setting("Events")? {
            Value::Null => BTreeMap::new(),
            events => typed(events, &format!("{id}.Events"))?,
        };
        for (name, event) in &events {
            if let Event::Queue(trigger) = event {
                trigger.check().map_err(|what| TemplateError::at(format!("{id}.Events.{name}"), what))?;
            }
        }
        Ok(Function {
            id: id.to_owned(),
            binary: binary.to_owned(),
            // Lambda's own defaults.
            timeout: Duration::from_secs(setting("Timeout")?.as_u64().unwrap_or(3)),
            memory: setting("MemorySize")?.as_u64().and_then(|mb| u32::try_from(mb).ok()).unwrap_or(128),
            events: events.into_values().collect(),
            environment,
        })
    }
}

fn typed<T: DeserializeOwned>(value: Value, place: &str) -> Result<T, TemplateError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| TemplateError::at(format!("{place}.{}", error.path()), error.inner()))
}
