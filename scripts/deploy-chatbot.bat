@ECHO OFF
REM Name: deploy-chatbot.bat
REM Purpose: Deploy a chatbot; --help says how. All of it is in scripts\operate\deploy.py.
REM PYTHON names another interpreter than the one on the PATH.
SETLOCAL EnableExtensions DisableDelayedExpansion
IF NOT DEFINED PYTHON SET "PYTHON=python"
"%PYTHON%" "%~dp0operate\deploy.py" %*
EXIT /B %ERRORLEVEL%
