"""What libraries' calls wait for: each as applications write it, on the event loop."""

from __future__ import annotations

import pytest

from fastwright.rules.cases import wrong_lines
from fastwright.rules.registry import rules
from fastwright.rules.rule import case

WAITING = """
import requests | | requests.get("https://a.example.org", timeout=1)
import httpx | client = httpx.Client() | client.options("/")
import urllib3 | pool = urllib3.PoolManager() | pool.urlopen("GET", "/")
from curl_cffi import requests | | requests.get("https://a.example.org")
from jwt import PyJWKClient | keys = PyJWKClient("https://a.example.org") | keys.get_signing_key_from_jwt("x")
from google.oauth2 import id_token | | id_token.verify_oauth2_token("x", None)
from requests_oauthlib import OAuth2Session | client = OAuth2Session("x") | client.fetch_token("x")
import msal | client = msal.ConfidentialClientApplication("x") | client.acquire_token_for_client([])
from keycloak import KeycloakOpenID | client = KeycloakOpenID() | client.userinfo("x")
import zeep | | zeep.Client("x")
import dns.resolver | | dns.resolver.resolve("a.example.org", "MX")
from fabric import Connection | | Connection("a").run("ls")
import imaplib | | imaplib.IMAP4("a").login("a", "b")
import emails | | emails.Message(subject="x").send(to="x")
import emails | message = emails.html(html="x") | message.send(to="x")
from sendgrid import SendGridAPIClient | | SendGridAPIClient("x").send(None)
import resend | | resend.Emails.send({})
from firebase_admin import auth | | auth.verify_id_token("x")
from firebase_admin import messaging | | messaging.send(None)
from firebase_admin import firestore | db = firestore.client() | db.collection("a").document("b").get()
from google.cloud import storage | bucket = storage.Client().bucket("a") | bucket.blob("b").upload_from_string("c")
from google.cloud import storage | client = storage.Client() | client.get_bucket("a")
from google.cloud import bigquery | client = bigquery.Client() | client.query("select 1")
from google.cloud import secretmanager | client = secretmanager.SecretManagerServiceClient() | client.access_secret_version(name="x")
from azure.storage.blob import BlobServiceClient | blobs = BlobServiceClient.from_connection_string("x") | blobs.get_blob_client("a", "b").upload_blob(b"c")
from azure.keyvault.secrets import SecretClient | client = SecretClient("x", None) | client.get_secret("x")
import boto3 | session = boto3.Session() | session.resource("s3").Bucket("a").upload_file("b", "c")
from minio import Minio | client = Minio("a") | client.put_object("a", "b", None, 1)
import hvac | client = hvac.Client() | client.secrets.kv.v2.read_secret_version(path="x")
from celery import Celery | worker = Celery("x") | worker.send_task("x")
from celery.result import AsyncResult | | AsyncResult("x").get()
from celery import chain | | chain(None, None).apply_async()
import rq | queue = rq.Queue() | queue.enqueue(print, 1)
import rq | queue = rq.Queue() | queue.enqueue_in(1, print)
import pika | channel = pika.BlockingConnection().channel() | channel.basic_publish("", "a", b"b")
from kombu import Producer | | Producer(None).publish({})
from redis.cluster import RedisCluster | client = RedisCluster() | client.get("a")
from pymemcache.client.base import Client | client = Client("a") | client.get("a")
import os | | os.fsync(1)
from filelock import FileLock | lock = FileLock("a") | lock.acquire()
import threading | thread = threading.Thread(target=print) | thread.join()
from concurrent.futures import ThreadPoolExecutor | pool = ThreadPoolExecutor() | pool.submit(print).result()
import asyncio | | asyncio.run_coroutine_threadsafe(None, None).result()
import mysql.connector | | mysql.connector.connect()
import snowflake.connector | | snowflake.connector.connect()
import clickhouse_connect | client = clickhouse_connect.get_client() | client.query("select 1")
from neo4j import GraphDatabase | driver = GraphDatabase.driver("x") | driver.execute_query("x")
from cassandra.cluster import Cluster | session = Cluster().connect() | session.execute("x")
from qdrant_client import QdrantClient | client = QdrantClient("x") | client.query_points("x")
from opensearchpy import OpenSearch | client = OpenSearch() | client.indices.create("x")
import docker | client = docker.from_env() | client.containers.run("x")
from kubernetes import client | api = client.CoreV1Api() | api.list_namespaced_pod("x")
from slack_sdk import WebClient | client = WebClient() | client.chat_postMessage(channel="a")
from github import Github | client = Github() | client.get_repo("x")
from notion_client import Client | client = Client() | client.pages.create()
from geopy.geocoders import Nominatim | client = Nominatim() | client.geocode("x")
from huggingface_hub import hf_hub_download | | hf_hub_download("x", "y")
import litellm | | litellm.completion(model="x", messages=[])
import ollama | | ollama.chat(model="x")
from mistralai import Mistral | client = Mistral() | client.chat.complete(model="x")
from langchain_openai import ChatOpenAI | llm = ChatOpenAI() | llm.invoke("x")
import google.generativeai as genai | model = genai.GenerativeModel("x") | model.generate_content("x")
from sentence_transformers import SentenceTransformer | model = SentenceTransformer("x") | model.encode("x")
import spacy | | spacy.load("x")
from argon2.low_level import hash_secret | | hash_secret(b"a", b"b", 1, 1, 1, 1, None)
from passlib.hash import sha512_crypt | | sha512_crypt.hash("x")
from fastapi_users.password import PasswordHelper | helper = PasswordHelper() | helper.hash("x")
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC | kdf = PBKDF2HMAC() | kdf.derive(b"x")
import shutil | | shutil.move("a", "b")
import shutil | | shutil.unpack_archive("a", "b")
import zipfile | archive = zipfile.ZipFile("a") | archive.extract("b")
import tarfile | archive = tarfile.open("a") | archive.extractall("b")
import gzip | | gzip.open("a")
import openpyxl | | openpyxl.load_workbook("a")
import openpyxl | book = openpyxl.Workbook() | book.save("a")
import docx | | docx.Document("a")
from pypdf import PdfReader | | PdfReader("a")
import pdfplumber | | pdfplumber.open("a")
import fitz | | fitz.open("a")
import pandas as pd | | pd.read_html("a")
import pandas as pd | frame = pd.read_excel("a") | frame.to_csv("a")
import polars as pl | frame = pl.scan_csv("a") | frame.collect()
import pyarrow.parquet as pq | | pq.read_table("a")
import cv2 | | cv2.imread("a")
from weasyprint import HTML | | HTML(string="a").write_pdf()
import pdfkit | | pdfkit.from_string("a")
import matplotlib.pyplot as plt | | plt.savefig("a")
from PIL import ImageOps | | ImageOps.fit(None, (1, 1))
import pytesseract | | pytesseract.image_to_string(None)
from pdf2image import convert_from_bytes | | convert_from_bytes(b"a")
from alembic import command | | command.upgrade(None, "head")
import feedparser | | feedparser.parse("a")
import yt_dlp | loader = yt_dlp.YoutubeDL({}) | loader.download(["a"])
"""

FINE = """
import httpx | client = httpx.AsyncClient() | await client.options("/")
from curl_cffi.requests import AsyncSession | client = AsyncSession() | await client.get("/")
from google.cloud import storage | bucket = storage.Client().bucket("a") | bucket.blob("b").generate_signed_url()
from azure.storage.blob.aio import BlobClient | blob = BlobClient("a", "b", "c") | await blob.upload_blob(b"c")
from qdrant_client import AsyncQdrantClient | client = AsyncQdrantClient("x") | await client.query_points("x")
from opensearchpy import AsyncOpenSearch | client = AsyncOpenSearch() | await client.indices.create("x")
from langchain_openai import ChatOpenAI | llm = ChatOpenAI() | await llm.ainvoke("x")
from firebase_admin import auth | | auth.create_custom_token("x")
import stripe | | await stripe.Customer.create_async()
import threading | thread = threading.Thread(target=print) | thread.start()
import openpyxl | | openpyxl.Workbook()
from celery import chain | | chain(None, None)
import polars as pl | | pl.scan_csv("a")
from neo4j import AsyncGraphDatabase | driver = AsyncGraphDatabase.driver("x") | await driver.execute_query("x")
"""


def _rows(table: str) -> list[tuple[str, ...]]:
    return [tuple(part.strip() for part in line.split("|")) for line in table.strip().splitlines()]


def _app(needed: str, made: str, call: str, mark: str) -> str:
    return f"""
{needed}
from fastapi import FastAPI

app = FastAPI()
{made}

@app.get("/")
async def home() -> None:
    {call}{mark}
"""


@pytest.mark.parametrize(("needed", "made", "call"), _rows(WAITING))
def test_it_waits(needed: str, made: str, call: str) -> None:
    given = case(call, _app(needed, made, call, "  # <-"))
    assert wrong_lines(rules()["blocking-call-in-async"].rule, given) == []


@pytest.mark.parametrize(("needed", "made", "call"), _rows(FINE))
def test_it_does_not_wait(needed: str, made: str, call: str) -> None:
    given = case(call, _app(needed, made, call, ""))
    assert wrong_lines(rules()["blocking-call-in-async"].rule, given) == []


TASKS = """
from celery import Celery, shared_task
import dramatiq
from fastapi import FastAPI

app = FastAPI()
worker = Celery("x")

@worker.task
def plain(x: int) -> None: ...

@worker.task(bind=True)
def bound(self, x: int) -> None: ...

@shared_task(name="shared")
def shared(x: int) -> None: ...

@dramatiq.actor(queue_name="x")
def actor(x: int) -> None: ...

@app.get("/")
async def home() -> None:
    {call}
"""


@pytest.mark.parametrize(
    ("call", "waits"),
    [
        ("plain.delay(1)", True),
        ("bound.apply_async(args=(1,))", True),
        ("shared.s(1).apply_async()", True),
        ("shared.delay(1)", True),
        ("actor.send(1)", True),
        ("plain.s(1)", False),
        ("plain(1)", False),
        ("actor.message(1)", False),
    ],
)
def test_sending_a_task_waits_for_the_broker(call: str, *, waits: bool) -> None:
    source = TASKS.replace("{call}", f"{call}  # <-" if waits else call)
    assert wrong_lines(rules()["blocking-call-in-async"].rule, case(call, source)) == []
