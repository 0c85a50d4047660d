from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from blog.database import Base, engine
from blog.routers import authors, posts

app = FastAPI(title="Travel blog", version="1.4.0")


@app.on_event("startup")
async def create_tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@app.exception_handler(ValueError)
async def on_value_error(request: Request, exc: ValueError):
    return JSONResponse(status_code=400, content={"detail": str(exc)})


@app.get("/health")
async def health():
    return {"status": "ok"}


app.include_router(authors.router)
app.include_router(posts.router)
