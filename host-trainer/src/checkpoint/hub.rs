//! Models named by their repository on the Hugging Face hub: fetched once, then read from the cache that Python's
//! `huggingface_hub` uses too.
//!
//! `HF_ENDPOINT` names another hub, `HF_HOME` another cache, `HF_HUB_OFFLINE=1` forbids the network, `HF_TOKEN` (or
//! the file that `hf auth login` writes) opens private repositories.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hf_hub::Cache;
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};

use crate::checkpoint;

/// Fetched where a repository has them, `config.json` first.
const SMALL_FILES: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "added_tokens.json",
];

/// The directory of a model: `name` itself where there is one; else, for `organization/name`, the copy of that
/// repository in the cache, fetched now if it is not there. A copy that is there is taken as it is.
///
/// # Errors
/// A repository that cannot be reached, does not exist or holds no model; the message names repository, file and
/// remedy. A name that is neither is returned, so that the reader of its files complains.
pub fn model_directory(name: &Path) -> Result<PathBuf> {
    if name.exists() {
        return Ok(name.to_owned());
    }
    match name.to_str().filter(|name| is_repository(name)) {
        Some(repository) => Hub::from_env()?.directory(repository),
        None => Ok(name.to_owned()),
    }
}

/// `organization/name`, of the characters that the hub allows.
fn is_repository(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split_once('/').is_some_and(|(organization, name)| part(organization) && part(name))
}

struct Hub {
    cache: Cache,
    endpoint: String,
    offline: bool,
}

impl Hub {
    fn from_env() -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        ensure!(
            endpoint.starts_with("http://") || endpoint.starts_with("https://"),
            "HF_ENDPOINT={endpoint}: give an address that begins with https://"
        );
        let offline = variable("HF_HUB_OFFLINE")
            .is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()));
        Ok(Hub { cache: Cache::from_env(), endpoint: endpoint.trim_end_matches('/').to_owned(), offline })
    }

    fn directory(&self, repository: &str) -> Result<PathBuf> {
        if let Some(directory) = self.cached(repository) {
            return Ok(directory);
        }
        ensure!(
            !self.offline,
            "{repository}: no directory of this name, and not whole in the cache {}; unset HF_HUB_OFFLINE to fetch \
             it, or name a directory",
            self.cache.path().display()
        );
        self.fetch(repository)?;
        self.cached(repository).with_context(|| {
            format!(
                "{repository}: config.json, vocab.txt or the weights are missing from the repository; name a BERT \
                 model"
            )
        })
    }

    /// The copy in the cache, if it is whole.
    fn cached(&self, repository: &str) -> Option<PathBuf> {
        let cached = self.cache.model(repository.to_owned());
        let directory = cached.get("config.json")?.parent()?.to_owned();
        let has_words = ["tokenizer.json", "vocab.txt"].iter().any(|name| directory.join(name).exists());
        let weights = checkpoint::weight_file(|name| directory.join(name).exists())?;
        let parts = checkpoint::parts(&directory.join(weights)).ok()?;
        let whole = has_words && parts.iter().all(|part| directory.join(part).exists());
        whole.then_some(directory)
    }

    fn api(&self) -> Result<Api> {
        let mut builder = ApiBuilder::from_cache(self.cache.clone()).with_endpoint(self.endpoint.clone());
        if let Some(token) = std::env::var("HF_TOKEN").ok().filter(|token| !token.is_empty()) {
            builder = builder.with_token(Some(token));
        }
        builder.build().map_err(|error| anyhow!("{}: {error}", self.endpoint))
    }

    /// Fetches the files of a model.
    fn fetch(&self, repository: &str) -> Result<()> {
        let api = self.api()?.model(repository.to_owned());
        let info = api.info().map_err(|error| {
            anyhow!(
                "{repository}: no directory of this name, and {} does not give this repository: {error}; check the \
                 spelling and the connection, set HF_TOKEN for a private one, or name a directory",
                self.endpoint
            )
        })?;
        let files: BTreeSet<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
        let Some(weights) = checkpoint::weight_file(|name| files.contains(name)) else {
            bail!(
                "{repository}: {} has neither model.safetensors nor pytorch_model.bin of it, whole or in parts; name \
                 a repository with PyTorch weights",
                self.endpoint
            )
        };
        for name in SMALL_FILES.into_iter().filter(|name| files.contains(*name)) {
            self.get(&api, repository, name)?;
        }
        let weights = self.get(&api, repository, weights)?;
        for part in checkpoint::parts(&weights)? {
            self.get(&api, repository, &part)?;
        }
        Ok(())
    }

    fn get(&self, api: &ApiRepo, repository: &str, file: &str) -> Result<PathBuf> {
        api.get(file).map_err(|error| {
            anyhow!(
                "{repository}: cannot fetch {file} from {}: {error}; try again, what came so far is kept in {}",
                self.endpoint,
                self.cache.path().display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_repository, model_directory};

    #[test]
    fn repositories_are_told_from_paths() {
        for name in ["Intel/bert-large-uncased-sparse-80-1x4-block-pruneofa", "a/b", "a_1/b.c-d"] {
            assert!(is_repository(name), "{name}");
        }
        for name in ["bert", "/bert", "a/b/c", "./a", "../a", "a/", "a/.b", "a b/c", "a/b\n", "a\\b/c"] {
            assert!(!is_repository(name), "{name}");
            assert_eq!(model_directory(Path::new(name)).ok().as_deref(), Some(Path::new(name)));
        }
    }

    #[test]
    fn a_directory_wins() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        assert_eq!(model_directory(root.path())?, root.path());
        Ok(())
    }
}
