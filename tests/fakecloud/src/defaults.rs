//! Owns the made-up accounts, places and image ids every fake cloud starts with.
//! Must not be known here: how they are checked or served.

/// Huawei Cloud access key of the default account.
pub const HUAWEI_AK: &str = "FAKEHUAWEIAK00000001";
/// Its secret key.
pub const HUAWEI_SK: &str = "fake-huawei-secret-key-opens-nothing-001";
/// Project of the default Huawei Cloud account.
pub const PROJECT_ID: &str = "fa4ec10d0000000000000000000000a1";
/// Region of everything, and so the name of the default project.
pub const REGION: &str = "cn-north-4";
/// A token of the default project, as `X-Auth-Token` takes it.
pub const AUTH_TOKEN: &str = "fake-auth-token-opens-nothing-0001";
/// Domain (account) name for tokens by password.
pub const IAM_DOMAIN: &str = "fake-domain";
/// User name for tokens by password.
pub const IAM_USER: &str = "fake-user";
/// Password for tokens by password.
pub const IAM_PASSWORD: &str = "fake-password-opens-nothing";
/// Id of that domain.
pub const IAM_DOMAIN_ID: &str = "fake-domain-id";
/// An agency of that domain, which the user and the identity providers may act in the name of.
pub const AGENCY: &str = "fake-agency";
/// The resource name of that agency.
pub const AGENCY_URN: &str = "iam::fake-domain-id:agency:fake-agency";
/// Id of an identity provider of that domain.
pub const OIDC_PROVIDER: &str = "fake-idp";
/// The resource name of that identity provider.
pub const OIDC_PROVIDER_URN: &str = "iam::fake-domain-id:oidc-provider:fake-idp";
/// Id of the identity provider whose tokens the pod identity endpoint takes.
pub const POD_IDENTITY_PROVIDER: &str = "pod-identity";
/// `iss` that all identity providers ask for.
pub const ID_TOKEN_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// `sub` that all identity providers ask for.
pub const ID_TOKEN_SUBJECT: &str = "system:serviceaccount:fake-namespace:fake-account";
/// `aud` that Huawei Cloud's identity provider asks for.
pub const HUAWEI_ID_TOKEN_AUDIENCE: &str = "fake-client-id";
/// `aud` that the pod identity endpoint asks for.
pub const POD_IDENTITY_AUDIENCE: &str = "fake-pod-identity";
/// Alibaba Cloud access key of the default account.
pub const ALIBABA_AK: &str = "LTAIFAKE0000000000000001";
/// Its secret.
pub const ALIBABA_SECRET: &str = "fake-alibaba-secret-nothing-01";
/// Its account id.
pub const ALIBABA_ACCOUNT: &str = "1000000000000001";
/// A RAM role of that account, also the one of its ECS instance.
pub const ALIBABA_ROLE_ARN: &str = "acs:ram::1000000000000001:role/fake-role";
/// The name of that role.
pub const ALIBABA_ROLE: &str = "fake-role";
/// The identity provider that role trusts.
pub const ALIBABA_OIDC_PROVIDER_ARN: &str = "acs:ram::1000000000000001:oidc-provider/fake-idp";
/// `aud` that Alibaba Cloud asks for.
pub const ALIBABA_ID_TOKEN_AUDIENCE: &str = "sts.aliyuncs.com";

/// The registry that SWR gives logins for.
pub const SWR_HOST: &str = "swr.cn-north-4.myhuaweicloud.com";
/// An instance of Alibaba Cloud Container Registry.
pub const ACR_INSTANCE: &str = "cri-fake000000000001";
/// The host of that instance.
pub const ACR_HOST: &str = "fake-registry.cn-north-4.cr.aliyuncs.com";

/// The notebook image of the documents' example, served byte for byte.
pub const SEED_NOTEBOOK_ID: &str = "278e88d1-5b71-4766-8502-b3ba72e824d9";
/// The other preset of the documents' list example.
pub const MODELBOX_NOTEBOOK_ID: &str = "e1a07296-22a8-4f05-8bc8-e936c8e54103";
/// A private Ascend image for Arm in the organisation `ai-team`, `ACTIVE`.
pub const ASCEND_NOTEBOOK_ID: &str = "5a2f1c3e-8d4b-4f6a-9e70-1b2c3d4e5f60";
/// A private image that is being saved, `CREATING`.
pub const CREATING_NOTEBOOK_ID: &str = "6b3a2d4f-9e5c-4a7b-8f81-2c3d4e5f6a71";
/// One of two images named `llm-serving`: tag `v1.0`.
pub const TWO_TAGS_FIRST_NOTEBOOK_ID: &str = "7c4b3e5a-af6d-4b8c-9a92-3d4e5f6a7b82";
/// The other image named `llm-serving`: tag `v1.1`.
pub const TWO_TAGS_SECOND_NOTEBOOK_ID: &str = "8d5c4f6b-ba7e-4c9d-8ba3-4e5f6a7b8c93";
/// A Lite Server image: `ARM`, `BMS`, `ACTIVE`; served byte for byte from its fixture.
pub const SEED_LITE_SERVER_ID: &str = "7c1d9a54-3b2e-4e8f-a6d0-9f8e7d6c5b4a";
/// A Lite Server image: `X86`, `ECS`, `INACTIVE`.
pub const INACTIVE_LITE_SERVER_ID: &str = "9e6d5a7c-cb8f-4dae-9cb4-5f6a7b8c9da4";
/// The PAI image of the document's example, served byte for byte with `Verbose=true`.
pub const SEED_PAI_ID: &str = "image-4c62seedimage53uor";
/// An official PAI image: public, without a workspace.
pub const OFFICIAL_PAI_ID: &str = "image-0fficialpai0000001";
/// A private PAI image of workspace `15945`.
pub const WORKSPACE_PAI_ID: &str = "image-w0rkspacepai000001";
