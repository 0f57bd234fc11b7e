//! What the operator's owner says about the network, and about the operator's own identity there.
//!
//! Owns the flags that every subcommand which asks a cloud shares. Must not know what is asked. The
//! invariant that would break first: nothing here comes from a tenant, and no tenant can say it.

use crate::cloud::identity::{Exchanger, IdentityEndpoints, NearUri};
use crate::cloud::sign_in::OperatorIdentities;
use crate::cloud::{AllowedEndpoints, Clouds, DerivedSigning, Network, Proxies};
use crate::registry::{LoginEndpoints, Logins, Reader, Registries, RegistryHosts, RegistryOptions};
use crate::telemetry::Metrics;
use anyhow::{Context as _, Result, anyhow};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the clouds and their services are, and how to get there.
#[derive(Debug, clap::Args)]
pub(super) struct NetworkArguments {
    /// An origin other than the vendors' own that providers may name in `endpoint`, such as
    /// `https://modelarts.internal.example`; may be given several times
    #[arg(
        long = "allow-endpoint",
        env = "IMAGEREF_ALLOW_ENDPOINT",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    allow_endpoint: Vec<String>,
    /// For tests: let what these flags name be on this machine, over plain http:// too
    #[arg(long, env = "IMAGEREF_INSECURE_LOOPBACK")]
    insecure_loopback: bool,
    #[command(flatten)]
    registries: RegistryArguments,
    /// Certificates to trust next to the system's, in PEM
    #[arg(long, env = "IMAGEREF_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// IAM of Huawei Cloud, for all regions; by region if left out
    #[arg(long, env = "IMAGEREF_HUAWEI_IAM_ENDPOINT", value_name = "ORIGIN")]
    huawei_iam_endpoint: Option<String>,
    /// STS of Huawei Cloud, for all regions; by region if left out
    #[arg(long, env = "IMAGEREF_HUAWEI_STS_ENDPOINT", value_name = "ORIGIN")]
    huawei_sts_endpoint: Option<String>,
    /// STS of Alibaba Cloud, for all regions; by region if left out
    #[arg(long, env = "IMAGEREF_ALIBABA_STS_ENDPOINT", value_name = "ORIGIN")]
    alibaba_sts_endpoint: Option<String>,
    /// Reach STS of Alibaba Cloud by its address inside a VPC
    #[arg(long, env = "IMAGEREF_ALIBABA_STS_VPC")]
    alibaba_sts_vpc: bool,
    /// Hosts of Huawei Cloud that take V11-HMAC-SHA256: never, other (all but the vendor's common
    /// names), or a list of hosts
    #[arg(
        long,
        env = "IMAGEREF_DERIVED_SIGNING",
        default_value = "never",
        value_name = "never|other|HOST,…"
    )]
    derived_signing: String,
}

impl NetworkArguments {
    pub(super) fn allowed(&self) -> Result<AllowedEndpoints> {
        AllowedEndpoints::new(&self.allow_endpoint, self.insecure_loopback).map_err(|e| anyhow!(e))
    }

    fn network(&self) -> Result<Network> {
        let extra_roots = match &self.ca_file {
            Some(path) => {
                std::fs::read(path).with_context(|| format!("reading {}", path.display()))?
            }
            None => Vec::new(),
        };
        Ok(Network {
            extra_roots,
            allowed: self.allowed()?,
            proxies: Proxies::from_env().map_err(|e| anyhow!(e))?,
            ..Network::default()
        })
    }

    /// What asks registries; `None` if none are to be asked.
    pub(super) fn registries(&self, metrics: &Arc<Metrics>) -> Result<Option<Reader>> {
        let RegistryArguments {
            no_registries,
            allow_registry,
            registry_mirror,
            ..
        } = &self.registries;
        if *no_registries {
            return Ok(None);
        }
        let insecure_loopback = self.insecure_loopback;
        let hosts = RegistryHosts::new(allow_registry, registry_mirror, insecure_loopback)
            .map_err(|e| anyhow!(e))?;
        let options = RegistryOptions {
            metrics: metrics.clone(),
            ..RegistryOptions::default()
        };
        let registries =
            Registries::new(self.network()?, hosts, options).map_err(|e| anyhow!(e))?;
        let endpoints = self.registries.logins();
        endpoints.check(insecure_loopback).map_err(|e| anyhow!(e))?;
        let derived = derived_signing(&self.derived_signing);
        let logins = Logins::new(self.network()?, endpoints, derived).map_err(|e| anyhow!(e))?;
        Ok(Some(Reader::new(registries, logins)))
    }

    /// The clients of the platforms, and of the services that issue credentials for them.
    pub(super) fn clients(&self, own: &OwnArguments) -> Result<(Clouds, Exchanger)> {
        let endpoints = IdentityEndpoints {
            huawei_iam: self.huawei_iam_endpoint.clone(),
            huawei_sts: self.huawei_sts_endpoint.clone(),
            huawei_metadata: own.huawei_metadata_endpoint.clone(),
            alibaba_sts: self.alibaba_sts_endpoint.clone(),
            alibaba_vpc: self.alibaba_sts_vpc,
            alibaba_metadata: own.alibaba_metadata_endpoint.clone(),
            alibaba_metadata_hardened: own.alibaba_metadata_hardened,
        };
        endpoints
            .check(self.insecure_loopback)
            .map_err(|e| anyhow!(e))?;
        let derived = derived_signing(&self.derived_signing);
        let clouds = Clouds::new(self.network()?).map_err(|e| anyhow!(e))?;
        let exchanger = Exchanger::new(self.network()?, endpoints).map_err(|e| anyhow!(e))?;
        Ok((
            clouds.with_derived_signing(derived.clone()),
            exchanger.with_derived_signing(derived),
        ))
    }
}

/// Which registries are asked, and where they and their logins are.
#[derive(Debug, clap::Args)]
struct RegistryArguments {
    /// Ask no registry: digests and platforms stay empty
    #[arg(long, env = "IMAGEREF_NO_REGISTRIES")]
    no_registries: bool,
    /// A registry, or the token service of one, next to SWR's and ACR's own, such as
    /// `harbor.example.com:8443`; may be given several times
    #[arg(
        long,
        env = "IMAGEREF_ALLOW_REGISTRY",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    allow_registry: Vec<String>,
    /// Read what images name by the first host at the second; may be given several times
    #[arg(
        long,
        env = "IMAGEREF_REGISTRY_MIRROR",
        value_name = "HOST=HOST[:PORT]",
        value_delimiter = ','
    )]
    registry_mirror: Vec<String>,
    /// Management API of SWR, for all regions; by region if left out
    #[arg(long, env = "IMAGEREF_SWR_ENDPOINT", value_name = "ORIGIN")]
    swr_endpoint: Option<String>,
    /// A registry that counts as SWR of every region and gets providers' logins, for a private cloud
    #[arg(long, env = "IMAGEREF_SWR_REGISTRY", value_name = "HOST[:PORT]")]
    swr_registry: Option<String>,
    /// Management API of Alibaba Cloud Container Registry, for all regions; by region if left out
    #[arg(long, env = "IMAGEREF_ACR_ENDPOINT", value_name = "ORIGIN")]
    acr_endpoint: Option<String>,
    /// A registry that counts as one of Alibaba Cloud and gets the logins of the instance that lists
    /// it, for a private cloud
    #[arg(long, env = "IMAGEREF_ACR_REGISTRY", value_name = "HOST[:PORT]")]
    acr_registry: Option<String>,
}

impl RegistryArguments {
    fn logins(&self) -> LoginEndpoints {
        LoginEndpoints {
            swr_api: self.swr_endpoint.clone(),
            swr_registry: self.swr_registry.clone(),
            acr_api: self.acr_endpoint.clone(),
            acr_registry: self.acr_registry.clone(),
        }
    }
}

fn derived_signing(text: &str) -> DerivedSigning {
    match text {
        "never" => DerivedSigning::Never,
        "other" => DerivedSigning::OtherHosts,
        hosts => DerivedSigning::Hosts(hosts.split(',').map(|host| host.trim().into()).collect()),
    }
}

/// The operator's own identity, which ClusterImageProviders may use.
#[derive(Debug, Default, clap::Args)]
pub(super) struct OwnArguments {
    /// Instance metadata of Huawei Cloud, if it is not at its usual address
    #[arg(long, env = "IMAGEREF_HUAWEI_METADATA_ENDPOINT", value_name = "ORIGIN")]
    huawei_metadata_endpoint: Option<String>,
    /// Instance metadata of Alibaba Cloud, if it is not at its usual address
    #[arg(
        long,
        env = "IMAGEREF_ALIBABA_METADATA_ENDPOINT",
        value_name = "ORIGIN"
    )]
    alibaba_metadata_endpoint: Option<String>,
    /// Never ask instance metadata of Alibaba Cloud without its token
    #[arg(long, env = "IMAGEREF_ALIBABA_METADATA_HARDENED")]
    alibaba_metadata_hardened: bool,
    /// Huawei Cloud's pod identity agent; a CCE cluster sets the variable in the pod
    #[arg(
        long,
        env = "HC_CONTAINER_CREDENTIALS_FULL_URI",
        hide_env_values = true,
        value_name = "URI",
        requires = "huawei_pod_identity_token_file"
    )]
    huawei_pod_identity_uri: Option<String>,
    /// The file with the token for that agent
    #[arg(
        long,
        env = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        value_name = "FILE"
    )]
    huawei_pod_identity_token_file: Option<PathBuf>,
    /// Alibaba Cloud's credentials agent
    #[arg(
        long,
        env = "ALIBABA_CLOUD_CREDENTIALS_URI",
        hide_env_values = true,
        value_name = "URI"
    )]
    alibaba_credentials_uri: Option<String>,
    /// The operator's projected token with the audience sts.myhuaweicloud.com
    #[arg(long, env = "HUAWEICLOUD_OIDC_TOKEN_FILE", value_name = "FILE")]
    huawei_token_file: Option<PathBuf>,
    /// The operator's projected token with the audience sts.aliyuncs.com; RRSA sets the variable in
    /// the pod
    #[arg(long, env = "ALIBABA_CLOUD_OIDC_TOKEN_FILE", value_name = "FILE")]
    alibaba_token_file: Option<PathBuf>,
}

impl OwnArguments {
    /// # Errors
    /// An address that cannot be used; the address is not shown, its path may be a secret.
    pub(super) fn identities(&self) -> Result<OperatorIdentities> {
        let uri = |flag: &str, uri: &Option<String>| -> Result<Option<NearUri>> {
            let uri = uri.as_deref().filter(|uri| !uri.is_empty());
            uri.map(|uri| NearUri::new(uri).map_err(|why| anyhow!("{flag}: {why}")))
                .transpose()
        };
        let agent = uri("--huawei-pod-identity-uri", &self.huawei_pod_identity_uri)?;
        Ok(OperatorIdentities {
            pod_identity: agent.zip(self.huawei_pod_identity_token_file.clone()),
            credentials_uri: uri("--alibaba-credentials-uri", &self.alibaba_credentials_uri)?,
            huawei_token_file: self.huawei_token_file.clone(),
            alibaba_token_file: self.alibaba_token_file.clone(),
        })
    }
}
