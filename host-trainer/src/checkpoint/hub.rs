//! Models named by their repository on the Hugging Face hub: fetched once, then read from the cache that Python's
//! `huggingface_hub` uses too.
//!
//! `HF_ENDPOINT` names another hub, `HF_HUB_OFFLINE=1` forbids the network, `HF_TOKEN` (or the file that
//! `hf auth login` writes) opens private repositories. The cache is in the first of these places, as for Python's
//! library (`huggingface_hub/constants.py`): `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME/hub`,
//! `XDG_CACHE_HOME/huggingface/hub`, `~/.cache/huggingface/hub`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hf_hub::Cache;
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};

use crate::checkpoint;

/// Fetched where a repository has them, `config.json` first.
const SMALL_FILES: [&str; 8] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "added_tokens.json",
    "card.json",
    "smoothing.safetensors",
];

/// The directory of a model: `name` itself where there is one; else, for `organization/name`, the copy of that
/// repository in the cache, fetched now if it is not there. A copy that is there is taken as it is.
///
/// # Errors
/// A repository that cannot be reached, does not exist or holds no model, or a bare name that could be one's last part;
/// the message names repository, file and remedy. A name that is neither is returned, so that the reader of its files
/// complains.
pub fn model_directory(name: &Path) -> Result<PathBuf> {
    if name.exists() {
        return Ok(name.to_owned());
    }
    match name.to_str().filter(|name| is_repository(name)) {
        Some(repository) => Hub::from_env()?.directory(repository),
        None => {
            let bare = name.to_str().filter(|name| is_part(name));
            ensure!(
                bare.is_none(),
                "{0}/config.json: cannot read: there is no directory {0}; give a model directory, or a repository of \
                 the hub as ORGANIZATION/NAME, such as sentence-transformers/all-MiniLM-L6-v2",
                name.display()
            );
            Ok(name.to_owned())
        }
    }
}

/// `organization/name`.
fn is_repository(name: &str) -> bool {
    name.split_once('/').is_some_and(|(organization, name)| is_part(organization) && is_part(name))
}

/// A name of an organization or of a repository, of the characters that the hub allows.
fn is_part(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A variable of the environment; an empty one counts as none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the cache is and where the token, from the environment that `variable` reads and the user's home.
fn places(variable: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Result<(PathBuf, PathBuf)> {
    let expanded = |text: String| match text.strip_prefix('~') {
        Some("") => home.clone(),
        Some(rest) if rest.starts_with('/') => home.as_ref().map(|home| home.join(&rest[1..])),
        _ => Some(PathBuf::from(text)),
    };
    let place = |name: &str| variable(name).and_then(expanded);
    let hf_home = place("HF_HOME").or_else(|| {
        let caches = place("XDG_CACHE_HOME").or_else(|| home.as_ref().map(|home| home.join(".cache")));
        caches.map(|caches| caches.join("huggingface"))
    });
    let cache = place("HF_HUB_CACHE").or_else(|| place("HUGGINGFACE_HUB_CACHE"));
    let cache = cache.or_else(|| hf_home.as_ref().map(|home| home.join("hub"))).context(
        "no place for models of the hub: there is no home directory; set HF_HOME to a directory, or name a model \
         directory",
    )?;
    let token = place("HF_TOKEN_PATH").or_else(|| hf_home.map(|home| home.join("token")));
    let token = token.unwrap_or_else(|| cache.join("token"));
    Ok((cache, token))
}

struct Hub {
    cache: Cache,
    /// The file with the user's token.
    token: PathBuf,
    endpoint: String,
    offline: bool,
}

impl Hub {
    fn from_env() -> Result<Self> {
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        ensure!(
            endpoint.starts_with("http://") || endpoint.starts_with("https://"),
            "HF_ENDPOINT={endpoint}: give an address that begins with https://"
        );
        let offline = variable("HF_HUB_OFFLINE")
            .or_else(|| variable("TRANSFORMERS_OFFLINE"))
            .is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()));
        let (cache, token) =
            places(variable, std::env::home_dir().filter(|home| !home.as_os_str().is_empty()))?;
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Ok(Hub { cache: Cache::new(cache), token, endpoint, offline })
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
        let builder = ApiBuilder::from_cache(self.cache.clone()).with_endpoint(self.endpoint.clone());
        // A file that cannot be read is as good as none: most models need no token.
        let saved = || std::fs::read_to_string(&self.token).ok();
        let token = variable("HF_TOKEN").or_else(saved).map(|token| token.trim().to_owned());
        let builder = builder.with_token(token.filter(|token| !token.is_empty()));
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

    use super::{is_repository, model_directory, places};

    #[test]
    fn repositories_are_told_from_paths() {
        for name in ["Intel/bert-large-uncased-sparse-80-1x4-block-pruneofa", "a/b", "a_1/b.c-d"] {
            assert!(is_repository(name), "{name}");
        }
        for name in ["bert", "/bert", "a/b/c", "./a", "../a", "a/", "a/.b", "a b/c", "a/b\n", "a\\b/c"] {
            assert!(!is_repository(name), "{name}");
        }
        for name in ["/bert", "a/b/c", "./a", "../a", "a/", "a/.b", "a b/c", "a/b\n", "a\\b/c"] {
            assert_eq!(model_directory(Path::new(name)).ok().as_deref(), Some(Path::new(name)));
        }
    }

    #[test]
    fn a_bare_name_that_is_no_directory_got_no_hint_of_the_organization() {
        let message = model_directory(Path::new("all-MiniLM-L6-v2")).expect_err("refused").to_string();
        assert!(message.contains("no directory all-MiniLM-L6-v2"), "{message}");
        assert!(message.contains("ORGANIZATION/NAME"), "{message}");
    }

    #[test]
    fn the_cache_was_only_where_hf_home_says() -> anyhow::Result<()> {
        let all = [
            ("HF_HUB_CACHE", "/a", "/a"),
            ("HUGGINGFACE_HUB_CACHE", "/b", "/b"),
            ("HF_HOME", "~/c", "/home/me/c/hub"),
            ("XDG_CACHE_HOME", "/d", "/d/huggingface/hub"),
        ];
        for first in 0..=all.len() {
            // Of those that are set, the first decides.
            let variable = |name: &str| {
                all[first..].iter().find(|(set, ..)| *set == name).map(|(_, value, _)| (*value).to_owned())
            };
            let expected =
                all.get(first).map_or("/home/me/.cache/huggingface/hub", |(.., expected)| expected);
            let (cache, token) = places(variable, Some("/home/me".into()))?;
            assert_eq!(cache, Path::new(expected));
            let home =
                ["/home/me/c", "/home/me/c", "/home/me/c", "/d/huggingface", "/home/me/.cache/huggingface"];
            assert_eq!(token, Path::new(home[first]).join("token"));
        }
        Ok(())
    }

    #[test]
    fn without_a_home_the_hub_panicked() {
        let message = places(|_| None, None).expect_err("refused").to_string();
        assert!(message.contains("no home directory; set HF_HOME"), "{message}");
        let set = |name: &str| (name == "HF_HUB_CACHE").then(|| "/cache".to_owned());
        assert!(places(set, None).is_ok_and(|(cache, _)| cache == Path::new("/cache")));
    }

    #[test]
    fn a_directory_wins() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        assert_eq!(model_directory(root.path())?, root.path());
        Ok(())
    }
}
